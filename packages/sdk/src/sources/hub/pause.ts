import type { Clock } from '../../clock.ts'

/** Resolves after `ms`, or at once when the signal says stop. */
export function pause(clock: Clock, ms: number, signal: AbortSignal, options: { keepsProcessAlive?: boolean } = {}): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve()
      return
    }
    const finish = (): void => {
      callOff()
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const callOff = clock.schedule(ms, finish, options)
    signal.addEventListener('abort', finish, { once: true })
  })
}
