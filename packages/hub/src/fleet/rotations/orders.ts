/** An order that was given but not reported on is given again after this long: its agent may have been restarted. */
const GIVE_AGAIN_MS = 2_000

interface Poll {
  /** Ends the present wait. */
  wake: () => void
  isReplaced: boolean
}

/** Who asks, and for how long. */
export interface Asker {
  deviceId: string
  waitMs: number
  /** Aborts when the asker is gone. */
  gone: AbortSignal
}

/** Hands orders to the agents that ask for them: one long poll a device. */
export class Orders {
  readonly #now: () => number
  readonly #polls = new Map<string, Poll>()
  /** When an order was last handed out. */
  readonly #given = new Map<string, number>()
  #closed = false

  constructor(now: () => number) {
    this.#now = now
  }

  /**
   * The id of the device's order: at once when there is one, else as soon as there is, else null after `waitMs` or when the asker is gone.
   * A newer poll of the same device ends the older one.
   */
  async next(asker: Asker, current: () => string | null): Promise<string | null> {
    const until = this.#now() + asker.waitMs
    const poll: Poll = { wake: () => {}, isReplaced: false }
    const older = this.#polls.get(asker.deviceId)
    this.#polls.set(asker.deviceId, poll)
    if (older) {
      older.isReplaced = true
      older.wake()
    }
    try {
      while (!poll.isReplaced && !asker.gone.aborted && !this.#closed) {
        const now = this.#now()
        const order = current()
        const due = order !== null ? (this.#given.get(order) ?? Number.NEGATIVE_INFINITY) + GIVE_AGAIN_MS : Number.POSITIVE_INFINITY
        if (order !== null && now >= due) {
          this.#given.set(order, now)
          return order
        }
        if (now >= until) return null
        await wait(poll, Math.min(until, due) - now, asker.gone)
      }
      return null
    } finally {
      if (this.#polls.get(asker.deviceId) === poll) this.#polls.delete(asker.deviceId)
    }
  }

  /** There is an order for the device. */
  announce(deviceId: string): void {
    this.#polls.get(deviceId)?.wake()
  }

  /** An order is over. */
  forget(orderId: string): void {
    this.#given.delete(orderId)
  }

  /** Ends every poll, empty. */
  close(): void {
    this.#closed = true
    for (const poll of this.#polls.values()) poll.wake()
  }
}

function wait(poll: Poll, ms: number, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer)
      gone.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    gone.addEventListener('abort', wake)
    poll.wake = wake
  })
}
