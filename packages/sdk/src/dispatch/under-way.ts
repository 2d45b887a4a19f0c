import type { Clock } from '../clock.ts'
import type { Errand } from './errand.ts'

/** The errands of a pool that are not over, those that wait among them. */
export class UnderWay {
  readonly #clock: Clock
  /** Each knows its place: a set would allocate anew every few requests, and requests come and go all the time. */
  readonly #errands: Errand[] = []
  readonly #idle: (() => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#errands.length
  }

  /** All of them as they came, in a list of their own: what is done with one may end others. */
  all(): Errand[] {
    return [...this.#errands].sort((one, other) => one.order - other.order)
  }

  add(errand: Errand): void {
    errand.place = this.#errands.push(errand) - 1
  }

  delete(errand: Errand): void {
    const { place } = errand
    if (place < 0) return
    errand.place = -1
    const last = this.#errands.pop()
    if (last !== undefined && last !== errand) {
      this.#errands[place] = last
      last.place = place
    }
    if (this.#errands.length === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Resolves when all are over, at the latest after `timeoutMs`. */
  async over(timeoutMs: number): Promise<void> {
    if (this.#errands.length === 0) return
    await new Promise<void>((resolve) => {
      const callOff = this.#clock.schedule(timeoutMs, resolve, { keepsProcessAlive: true })
      this.#idle.push(() => {
        callOff()
        resolve()
      })
    })
  }
}
