import { z } from 'zod'
import { ipAddress, label, timestamp } from './names.ts'
import { rotationMethod } from './rotation.ts'

/** What an agent says of its device with each heartbeat; what it cannot tell it leaves out. */
export const telemetry = z.strictObject({
  /** As the SIM or the network names it. */
  operator: label.optional(),
  /** `LTE`, `5G`, ... as the device names it. */
  network_type: label.optional(),
  /** Per cent. */
  signal: z.int().min(0).max(100).optional(),
  /** Per cent. */
  battery: z.int().min(0).max(100).optional(),
  /** Degrees Celsius. */
  temperature: z.number().min(-100).max(200).optional(),
  sim: z.enum(['ready', 'missing', 'locked', 'unknown']).optional(),
  roaming: z.boolean().optional(),
  /** The network that serves the device, as mobile country and network code (ITU-T E.212), e.g. `25001`. */
  mcc_mnc: z
    .string()
    .regex(/^\d{5,6}$/, 'must be a mobile country and network code like 25001')
    .optional(),
  /** The device's address inside the carrier's network; behind its NAT it is not the exit IP. */
  inner_ip: ipAddress.optional(),
  /** The network interface that its traffic leaves by, e.g. `wwan0`. */
  interface: label.optional(),
  /** When the device came back last after it had lost its connection by itself, since the agent was started. */
  recovered_at: timestamp.optional(),
  /** What brought it back: what its agent did last, or nothing of the agent's. */
  recovered_by: z.union([rotationMethod, z.enum(['switched_on', 'itself'])]).optional(),
  /** How long it was away, in seconds. */
  recovered_after_s: z.int().nonnegative().optional(),
})
export type TelemetryJson = z.infer<typeof telemetry>
