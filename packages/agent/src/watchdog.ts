import type { Logger } from 'pino'
import { type Clock, within } from './clock.ts'
import type { DeviceDriver } from './drivers/driver.ts'
import { AgentError } from './errors.ts'

const EVERY_MS = 60_000
const CALL_TIMEOUT_MS = 10_000

/**
 * Switches the device on when it is found off though nothing is rotating it: a rotation that could not, a person, a crash.
 * Runs until the signal aborts.
 */
export async function watchOver(
  device: { readonly driver: Pick<DeviceDriver, 'callTimeoutMs' | 'status' | 'up'>; isRotating(): boolean },
  clock: Clock,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { driver } = device
  const call = <T>(run: (inner: AbortSignal) => Promise<T>): Promise<T> =>
    within(
      clock,
      driver.callTimeoutMs ?? CALL_TIMEOUT_MS,
      run,
      () => new AgentError('device_unreachable', 'The device did not answer.'),
      signal,
    )
  while (!signal.aborted) {
    await clock.sleep(EVERY_MS, signal).catch(() => {})
    if (signal.aborted || device.isRotating()) continue
    try {
      if (!(await call((inner) => driver.status(inner))).isDown || device.isRotating()) continue
      log.warn('the device is switched off though nothing rotates it: switching it on')
      await call((inner) => driver.up(inner))
    } catch (error) {
      log.debug({ reason: (error as Error).message }, 'watchdog: no answer from the device')
    }
  }
}
