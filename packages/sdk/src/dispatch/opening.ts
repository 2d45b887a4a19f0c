import { MobilePoolError } from '../errors.ts'
import type { DeviceStream, PendingConnection } from './connect-device.ts'

/** Who waits for a connection: gets exactly one of error and connection. */
type Taker<Taken> = (error: Error | null, taken: Taken | null) => void

/**
 * A connection being made for a request or a path. Whoever waits for it may let go of it: it then goes on alone, to be kept for others
 * or to prove, by its time-out, that the device hangs.
 */
export class Opening<Taken = DeviceStream> implements PendingConnection {
  #taker: Taker<Taken> | null
  #onEnd: ((error: Error | null) => void) | null = null
  #pending: PendingConnection | null = null
  #isOver: boolean = false

  /** `taker` null: nobody waits for it, from the beginning. */
  constructor(taker: Taker<Taken> | null, onEnd: ((error: Error | null) => void) | null = null) {
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
  end(error: Error | null, taken: Taken | null): void {
    this.#isOver = true
    if (this.#taker === null) this.#onEnd?.(error)
    else this.#taker(error, taken)
  }
}

/** What an opening that nobody waits for is ended with when its device rotates or leaves: no fault of the device. */
export const unwantedError = (): MobilePoolError =>
  new MobilePoolError('MP_DEVICE_ROTATED', 'the connections of the device are being closed', { phase: 'connect' })
