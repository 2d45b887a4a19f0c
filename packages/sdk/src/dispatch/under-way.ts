import type { Clock } from '../clock.ts'
import type { Errand } from './errand.ts'

/** The errands of a pool that are not over, those that wait among them. */
export class UnderWay {
  readonly #clock: Clock
  readonly #errands = new Set<Errand>()
  readonly #idle: (() => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#errands.size
  }

  /** All of them, in a list of their own: what is done with one may end others. */
  all(): Errand[] {
    return [...this.#errands]
  }

  add(errand: Errand): void {
    this.#errands.add(errand)
  }

  delete(errand: Errand): void {
    this.#errands.delete(errand)
    if (this.#errands.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Resolves when all are over, at the latest after `timeoutMs`. */
  async over(timeoutMs: number): Promise<void> {
    if (this.#errands.size === 0) return
    await new Promise<void>((resolve) => {
      const callOff = this.#clock.schedule(timeoutMs, resolve, { keepsProcessAlive: true })
      this.#idle.push(() => {
        callOff()
        resolve()
      })
    })
  }
}
