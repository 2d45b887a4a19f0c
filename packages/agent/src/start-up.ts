import type { Logger } from 'pino'
import type { CommandJournal } from './commands/journal.ts'
import type { OpenDevice } from './open-device.ts'
import { reportOf } from './rotation/result.ts'
import type { Rotator } from './rotation/rotator.ts'

/** Switches a device on that a killed agent left switched off: it has no way to the hub until then. */
export async function switchOn({ driver, call, log }: Pick<OpenDevice, 'driver' | 'call' | 'log'>): Promise<void> {
  try {
    if (!(await call((signal) => driver.status(signal))).isDown) return
    log.warn('the device was left switched off: switching it on')
    await call((signal) => driver.up(signal))
  } catch (error) {
    log.warn({ reason: (error as Error).message }, 'the device does not answer')
  }
}

/** Ends the rotation that a killed agent was at, and notes its result. */
export async function endInterrupted(journal: CommandJournal, rotator: Rotator, log: Logger, signal: AbortSignal): Promise<void> {
  const interrupted = journal.interrupted()
  if (!interrupted) return
  log.warn({ rotation: interrupted.id }, 'this rotation was interrupted: finding out what became of it')
  const result = await rotator.resume(interrupted, signal)
  // Stopped again before it was known: the next start goes on.
  if (signal.aborted) return
  await journal.update(interrupted.id, { report: reportOf(result) })
  log.info({ rotation: interrupted.id, outcome: result.state, oldIp: result.oldIp, newIp: result.newIp }, 'rotated')
}
