import type { Socket } from 'node:net'
import type { PendingConnection, SocketCallback } from './connect-device.ts'

/**
 * A connection being made for a request. Whoever waits for it may let go of it: it then goes on alone, to be kept for others or to
 * prove, by its time-out, that the device hangs.
 */
export class Opening implements PendingConnection {
  #taker: SocketCallback | null
  #onEnd: ((error: Error | null) => void) | null = null
  #pending: PendingConnection | null = null
  #isOver: boolean = false

  /** `taker` null: nobody waits for it, from the beginning. */
  constructor(taker: SocketCallback | null, onEnd: ((error: Error | null) => void) | null = null) {
    this.#taker = taker
    this.#onEnd = onEnd
  }

  /** Nobody waits for it (any more). */
  get isDetached(): boolean {
    return this.#taker === null
  }

  begun(pending: PendingConnection): void {
    this.#pending = pending
  }

  /** Ends it with this error. */
  cancel(reason: Error): void {
    this.#pending?.cancel(reason)
  }

  /**
   * Lets go of it: the taker gets `reason`, and `onEnd` hears what the connection came to. False, and nothing happens, when it is over
   * or was let go of before.
   */
  detach(reason: Error, onEnd: (error: Error | null) => void): boolean {
    const taker = this.#taker
    if (this.#isOver || taker === null) return false
    this.#taker = null
    this.#onEnd = onEnd
    taker(reason, null)
    return true
  }

  /** To be called once, when the connection stands or has failed. */
  end(error: Error | null, socket: Socket | null): void {
    this.#isOver = true
    if (this.#taker === null) this.#onEnd?.(error)
    else this.#taker(error, socket)
  }
}
