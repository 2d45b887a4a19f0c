import type { Http2Stream } from 'node:http2'
import { Duplex } from 'node:stream'

const BUFFER_BYTES = 64 << 10

/**
 * An HTTP/2 stream that behaves like a TCP socket with `allowHalfOpen`: a reset, from the other end or because the session is gone, is an
 * `error` (`ECONNRESET`), never an `end`; destroying it before both directions have ended resets it, with or without an error.
 * Node's own streams end in both cases as if all were well (reference: tunnel.md, pitfall 4).
 */
export class TunnelStream extends Duplex {
  readonly #stream: Http2Stream
  /** Payload so far, as a socket counts it. */
  bytesRead = 0
  bytesWritten = 0

  constructor(stream: Http2Stream) {
    super({ allowHalfOpen: true, readableHighWaterMark: BUFFER_BYTES, writableHighWaterMark: BUFFER_BYTES })
    this.#stream = stream
    stream.on('data', (chunk: Buffer) => {
      this.bytesRead += chunk.length
      if (!this.push(chunk)) stream.pause()
    })
    stream.on('end', () => {
      if (wasReset(stream)) this.destroy(connectionReset())
      else this.push(null)
    })
    stream.on('error', () => this.destroy(connectionReset()))
    stream.on('close', () => {
      // Node 20 tells of no error where the session is destroyed without one.
      if (wasReset(stream) || !stream.readableEnded || !stream.writableFinished) this.destroy(connectionReset())
    })
    stream.pause()
  }

  override _read(): void {
    this.#stream.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.bytesWritten += chunk.length
    // Not the callback of write(): it waits until the bytes are sent, which is one at a time.
    if (this.#stream.write(chunk)) done()
    else this.#stream.once('drain', done)
  }

  override _final(done: () => void): void {
    this.#stream.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const isWhole = this.readableEnded && this.writableFinished && error === null
    if (isWhole) this.#stream.close()
    else if (!this.#stream.destroyed) this.#stream.destroy(new Error('reset'))
    done(error)
  }
}

const wasReset = (stream: Http2Stream): boolean => stream.aborted || (stream.rstCode ?? 0) !== 0

const connectionReset = (): Error => Object.assign(new Error('The connection through the tunnel was reset.'), { code: 'ECONNRESET' })
