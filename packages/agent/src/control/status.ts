import { rotationFailure, rotationMethod, rotationOutcome } from '@mobilepool/sdk/contract'
import { z } from 'zod'

const time = z.iso.datetime()
const count = z.int().nonnegative()

/** What a running agent says of itself, as `mobilepool-agent status --json` prints it. Holds no secret. */
export const agentStatus = z.object({
  name: z.string(),
  device_id: z.string(),
  version: z.string(),
  pid: z.int(),
  started_at: time,
  hub: z.string(),
  driver: z.string(),
  /** Where the proxy listens for parsers, without its credentials. */
  proxy: z.string(),
  /** The last heartbeat; null before the first. `failure`: why the hub did not get it. */
  heartbeat: z.object({ at: time, exit_ip: z.string().nullable(), failure: z.string().nullable() }).nullable(),
  /** Connections to the hub by which it reaches the device; `wanted` is false with `--no-tunnel`. */
  tunnel: z.object({ wanted: z.boolean(), sessions: count }),
  is_rotating: z.boolean(),
  /** Whether traffic would leave by the host's own address; nothing is let through then. */
  is_leaking: z.boolean(),
  last_rotation: z
    .object({
      by: z.enum(['hub', 'here']),
      ended_at: time,
      took_ms: count,
      state: rotationOutcome,
      method: rotationMethod.nullable(),
      old_ip: z.string().nullable(),
      new_ip: z.string().nullable(),
      reason: rotationFailure.nullable(),
      detail: z.string().nullable(),
    })
    .nullable(),
  /** Rotations since the start, by how they ended. */
  rotations: z.object({ changed: count, unchanged: count, failed: count }),
  /** Since when the device has been in trouble, which, and what was tried in this round; null: it is not. */
  trouble: z.object({ since: time, found: z.string(), tried: z.array(z.string()) }).nullable(),
  /** How often it was brought back since the start, by what did it. */
  recoveries: z.record(z.string(), count),
  /** Results that the hub has not acknowledged. */
  unreported: count,
  /** Connections that go through the device now. */
  connections: count,
  /** Payload since the start. */
  bytes_up: count,
  bytes_down: count,
  /** What the device said of itself with the last heartbeat. */
  telemetry: z.record(z.string(), z.unknown()).nullable(),
})

/** What a running agent says of itself. */
export type AgentStatus = z.infer<typeof agentStatus>
