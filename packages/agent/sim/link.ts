import { Duplex } from 'node:stream'

/**
 * A connection over a simulated mobile link. When the link vanishes, the connection falls silent as on a real phone: no byte, no end and
 * no error any more, for as long as anybody waits (reference: device-control.md 0.3). It must be destroyed by whoever holds it.
 */
export class LinkConnection extends Duplex {
  readonly #inner: Duplex
  #isSilent: boolean = false

  constructor(inner: Duplex) {
    super({ allowHalfOpen: true })
    this.#inner = inner
    inner.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) inner.pause()
    })
    inner.on('end', () => this.push(null))
    inner.on('error', (error) => {
      if (!this.#isSilent) this.destroy(error)
    })
    inner.on('close', () => {
      const isClean = inner.readableEnded && inner.writableFinished
      if (!this.#isSilent && !isClean) this.destroy(Object.assign(new Error('connection lost'), { code: 'ECONNRESET' }))
    })
  }

  /** The link is gone. */
  goSilent(): void {
    this.#isSilent = true
    this.#inner.pause()
  }

  override _read(): void {
    if (!this.#isSilent) this.#inner.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // The kernel would take some more bytes before it makes the writer wait; that they never arrive is the same.
    if (!this.#isSilent) this.#inner.write(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#isSilent) this.#inner.end(done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#inner.destroy()
    done(error)
  }

  /** Ends with a reset instead of an end, as the socket below can. */
  resetAndDestroy(): this {
    const inner = this.#inner as Duplex & { resetAndDestroy?: () => unknown }
    inner.resetAndDestroy?.()
    return this.destroy()
  }
}
