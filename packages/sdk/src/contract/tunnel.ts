import { z } from 'zod'
import { agentCommand, agentHeartbeat, commandReport } from './agent.ts'
import { ipAddress, timestamp } from './names.ts'
import { rotationState } from './rotation.ts'

/** Where agents dial the hub: `GET` with `Upgrade`, the device's key, and `tunnelOffer` as the query. */
export const tunnelPath = '/api/v1/agents/tunnel'

/** What `Upgrade` says: HTTP/2 on this connection, served by the agent. The number changes when old and new do not understand each other. */
export const tunnelProtocol = 'mobilepool-tunnel/1'

/** In the hub's 101: how often it pings a session that is in use, ms. */
export const tunnelPingHeader = 'x-mobilepool-ping-ms'

/** In the agent's answer to a CONNECT that failed: the code (`ReplyCode` of the proxy server), and its sentence, percent-encoded. */
export const tunnelErrorHeader = 'x-mobilepool-error'
/** That failure's one sentence for people, percent-encoded. */
export const tunnelDetailHeader = 'x-mobilepool-detail'

/** In a 409: the generation that the hub has; the next one must be greater. */
export const tunnelGenerationHeader = 'x-mobilepool-generation'

/** An idle session is pinged once in so many intervals: every ping is paid for by a metered SIM. */
export const tunnelIdleFactor = 4

/** Sessions that one device may have. */
export const maxTunnelSessions = 16

const counter = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

/**
 * One dial. The order of dials decides, not the order in which they arrive: a greater generation replaces all sessions of smaller ones, and
 * in one generation a greater dial replaces the one in its slot.
 */
export const tunnelOffer = z.object({
  /** Grows with each change of the device's interface or address, and with each start of the agent. */
  generation: counter,
  slot: z.coerce
    .number()
    .int()
    .min(0)
    .max(maxTunnelSessions - 1),
  /** Grows with each dial of the agent. */
  dial: counter,
})
export type TunnelOffer = z.infer<typeof tunnelOffer>

/**
 * What the agent says on the control stream, one JSON a line: `ready` asks for one order, for as long as the stream stands; `report` is
 * what `POST /api/v1/agents/commands/{id}` takes, numbered so that its receipt is known; `beat` is a heartbeat, answered by `seen`. That the
 * device lives is known by the pings: a beat is needed when there is something to say.
 */
export const controlFromAgent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('report'), number: z.int().nonnegative(), id: z.uuid(), report: commandReport }),
  z.object({ type: z.literal('beat'), heartbeat: agentHeartbeat }),
])
export type ControlFromAgent = z.infer<typeof controlFromAgent>

/** What the hub says on it. */
export const controlFromHub = z.discriminatedUnion('type', [
  z.object({ type: z.literal('order'), order: agentCommand, now: timestamp }),
  /** What the hub saw of the last beat. */
  z.object({ type: z.literal('seen'), remote_ip: ipAddress, ip_changed: z.boolean() }),
  z.object({
    type: z.literal('receipt'),
    number: z.int().nonnegative(),
    /** `later`: the hub cannot take it now; `refused`: it finds it wrong, and will again. */
    outcome: z.enum(['taken', 'unknown', 'later', 'refused']),
    /** The hub's own state of the rotation, when taken. */
    state: rotationState.nullable(),
    detail: z.string().nullable(),
  }),
])
export type ControlFromHub = z.infer<typeof controlFromHub>
