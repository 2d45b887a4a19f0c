import { type Clock, within } from '../clock.ts'
import type { DeviceDriver } from '../drivers/driver.ts'
import { AgentError, type AgentErrorCode } from '../errors.ts'
import { rotationTimes } from '../rotation/times.ts'
import type { Finding } from './policy.ts'

/** How long a device that is online may take to say so. */
const SAY_ONLINE_MS = 5_000

/** Where no cure helps, but a person. */
const helpless = new Set<AgentErrorCode>(['permission_denied', 'auth_failed', 'sim_missing', 'sim_locked'])

/** What a look at the device needs. */
export interface LookPorts {
  readonly clock: Clock
  readonly driver: Pick<DeviceDriver, 'callTimeoutMs' | 'status' | 'waitOnline'>
  /** Whether the hub has heard the device lately: nothing else is asked then. */
  isHeard(): boolean
  /** Whether a name server answers through the device. */
  hasNameServer(): Promise<boolean>
}

/** Finds out how the device is. Throws the signal's reason only. */
export async function lookAt(ports: LookPorts, signal: AbortSignal): Promise<Finding> {
  if (ports.isHeard()) return 'online'
  const { clock, driver } = ports
  const unanswered = (): Error => new AgentError('device_unreachable', 'The device did not answer.')
  try {
    const status = await within(
      clock,
      driver.callTimeoutMs ?? rotationTimes.deviceCallMs,
      (inner) => driver.status(inner),
      unanswered,
      signal,
    )
    if (status.sim === 'missing' || status.sim === 'locked') return 'helpless'
    if (status.isDown) return 'off'
  } catch (error) {
    signal.throwIfAborted()
    return error instanceof AgentError && helpless.has(error.code) ? 'helpless' : 'unreachable'
  }
  const offline = (): Error => new AgentError('no_data_session', 'The device is not online.')
  try {
    await within(clock, SAY_ONLINE_MS, (inner) => driver.waitOnline(inner), offline, signal)
  } catch {
    signal.throwIfAborted()
    return 'offline'
  }
  return (await ports.hasNameServer()) ? 'online' : 'silent'
}
