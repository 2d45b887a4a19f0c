import { z } from 'zod'
import { deviceType } from './device.ts'
import { deviceName, ipAddress, label, timestamp } from './names.ts'
import { proxyUrl } from './proxy-url.ts'
import { rotationFailure, rotationMethod, rotationState } from './rotation.ts'
import { telemetry } from './telemetry.ts'

/** Body of `POST /api/v1/agents/tokens` (admin): a token that enrols one device, once. */
export const enrollTokenRequest = z.strictObject({
  /** Only this name may enrol with it; any free name when left out. */
  name: deviceName.optional(),
  /** Seconds until it expires. @default 86,400 */
  ttl: z.int().min(60).max(2_592_000).default(86_400),
})

/** The token is shown this once; it enrols one device before `expires_at`. */
export const enrollTokenReply = z.object({ token: z.string(), expires_at: timestamp })

/** Body of `POST /api/v1/agents/enroll`. */
export const enrollRequest = z.strictObject({
  token: z.string().min(1).max(200),
  name: deviceName,
  device_type: deviceType,
  operator: label.nullable().default(null),
  region: label.nullable().default(null),
  agent_version: z.string().max(50),
})

/** The device's key is shown this once. */
export const enrollReply = z.object({ device_id: z.uuid(), name: deviceName, device_key: z.string() })

/** Body of `POST /api/v1/agents/heartbeat`, sent with the device's key through the device's own egress. */
export const agentHeartbeat = z.strictObject({
  agent_version: z.string().max(50),
  /** Where parsers reach the agent's proxy; null: they cannot, and the hub's gateway reaches the device by its tunnel. */
  proxy_url: proxyUrl.nullable(),
  /** What the driver can do, best first. */
  methods: z.array(rotationMethod).max(20),
  telemetry: telemetry.optional(),
})
export type AgentHeartbeatJson = z.infer<typeof agentHeartbeat>

/** `remote_ip`: the address that the hub sees, which is the device's exit IP; `ip_changed`: another one than with the heartbeat before. */
export const agentHeartbeatReply = z.object({ name: deviceName, remote_ip: ipAddress, ip_changed: z.boolean(), timestamp })

/** An order to the agent. Its id is the rotation's id; asked for again it is the same order, not a second one. */
export const agentCommand = z.object({
  id: z.uuid(),
  type: z.literal('rotate'),
  method: rotationMethod.nullable(),
  /** How long requests in flight may take to finish, ms. */
  drain_ms: z.int().nonnegative(),
  /** When the hub gives the rotation up. */
  deadline_at: timestamp,
})
export type AgentCommandJson = z.infer<typeof agentCommand>

/** Reply of `GET /api/v1/agents/commands?wait=25`: at once when there is an order, else after `wait` seconds, empty. */
export const agentCommands = z.object({ commands: z.array(agentCommand) })

/**
 * Body of `POST /api/v1/agents/commands/{id}`: how far the order is. Sent through the device's egress and repeated until acknowledged;
 * the hub compares the addresses that it sees itself, so `new_ip` is evidence, not the verdict.
 * Any 2xx acknowledges it (the reply is `rotateReply`, with the hub's verdict once it is final); 404: no such order, forget it.
 */
export const commandReport = z.strictObject({
  state: rotationState.exclude(['queued']),
  method: rotationMethod.nullable(),
  old_ip: ipAddress.nullable(),
  new_ip: ipAddress.nullable(),
  reason: rotationFailure.nullable(),
  detail: z.string().max(500).nullable(),
})
export type CommandReportJson = z.infer<typeof commandReport>

/** Reply of `GET /api/v1/echo`: the address that the hub sees. Needs no key. */
export const echoReply = z.object({ ip: ipAddress })
