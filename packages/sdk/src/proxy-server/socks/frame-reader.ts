import type { Duplex } from 'node:stream'

/** Reads a handshake's fields from a stream that is not flowing, and not one byte of what follows them. */
export class FrameReader {
  readonly #stream: Duplex
  #waiting: { readonly size: number; resolve(bytes: Buffer | null): void } | null = null
  readonly #look = (): void => this.#serve()
  readonly #onEnd = (): void => this.#settle(null)

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.on('readable', this.#look)
    stream.on('end', this.#onEnd)
    stream.on('close', this.#onEnd)
  }

  /** The next `size` bytes; null when the stream ends before them. */
  take(size: number): Promise<Buffer | null> {
    if (size === 0) return Promise.resolve(Buffer.alloc(0))
    return new Promise((resolve) => {
      this.#waiting = { size, resolve }
      if (this.#stream.destroyed || this.#stream.readableEnded) this.#settle(null)
      else this.#serve()
    })
  }

  /** The next byte. */
  async byte(): Promise<number | null> {
    return (await this.take(1))?.[0] ?? null
  }

  /** Stops reading; what has come beyond stays in the stream. */
  release(): void {
    this.#stream.off('readable', this.#look)
    this.#stream.off('end', this.#onEnd)
    this.#stream.off('close', this.#onEnd)
  }

  #serve(): void {
    if (this.#waiting === null) return
    const bytes: Buffer | null = this.#stream.read(this.#waiting.size)
    // At the end of a stream `read` returns what is left, though it is less.
    if (bytes !== null) this.#settle(bytes.length === this.#waiting.size ? bytes : null)
  }

  #settle(bytes: Buffer | null): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.resolve(bytes)
  }
}
