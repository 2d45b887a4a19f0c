/** What undici's dispatchers and the pool have in common. */
export interface Dispatching {
  dispatch(options: object, handler: object): unknown
}

/** A closed loop: so many requests in flight all the time, each answered one followed by the next. */
export class Load {
  readonly #dispatcher: Dispatching
  readonly #options: object
  readonly #concurrency: number
  #answered = 0
  #errors = 0
  #lastError: Error | null = null

  constructor(dispatcher: Dispatching, options: object, concurrency: number) {
    this.#dispatcher = dispatcher
    this.#options = options
    this.#concurrency = concurrency
  }

  /** Goes on while `goesOn` says so; then lets those in flight finish. Returns how many were answered. Throws when any failed. */
  async run(goesOn: (answered: number) => boolean): Promise<number> {
    this.#answered = 0
    await Promise.all(Array.from({ length: this.#concurrency }, () => this.#work(goesOn)))
    if (this.#errors > 0) throw new Error(`${this.#errors} requests failed, the last with: ${this.#lastError?.stack}`)
    return this.#answered
  }

  #work(goesOn: (answered: number) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const next = (): void => {
        if (goesOn(this.#answered)) this.#dispatcher.dispatch(this.#options, handler)
        else resolve()
      }
      const handler = {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData() {},
        // Not at once: the connection is free only after this call, as it is for a caller that awaits.
        onResponseEnd: () => {
          this.#answered++
          queueMicrotask(next)
        },
        onResponseError: (_controller: unknown, error: Error) => {
          this.#errors++
          this.#lastError = error
          resolve()
        },
      }
      next()
    })
  }
}

/** For `Load.run`: so many ms. */
export function forMs(ms: number): () => boolean {
  const until = performance.now() + ms
  return () => performance.now() < until
}
