import type { Duplex } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import type { z } from 'zod'

/** Orders and reports have some hundred bytes. */
const MAX_LINE = 64 * 1024

/** One JSON a line over a stream, both ways. Whatever is not as agreed ends the stream. */
export class JsonLines<Incoming, Outgoing> {
  readonly #stream: Duplex
  readonly #schema: z.ZodType<Incoming>
  readonly #onMessage: (message: Incoming) => void
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  /** `onEnd` is called once. */
  constructor(stream: Duplex, schema: z.ZodType<Incoming>, on: { message: (message: Incoming) => void; end: () => void }) {
    this.#stream = stream
    this.#schema = schema
    this.#onMessage = on.message
    stream.on('data', (chunk: Buffer) => this.#take(this.#decoder.write(chunk)))
    stream.on('error', () => {})
    stream.on('end', () => stream.destroy())
    stream.once('close', on.end)
  }

  /** False: the stream is over, and the message lost. */
  send(message: Outgoing): boolean {
    if (this.#stream.destroyed || !this.#stream.writable) return false
    // Whoever does not read what it has asked for is not worth keeping lines for.
    if (this.#stream.writableLength > MAX_LINE) {
      this.end()
      return false
    }
    this.#stream.write(`${JSON.stringify(message)}\n`)
    return true
  }

  end(): void {
    this.#stream.destroy()
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length > MAX_LINE) this.end()
    for (const line of lines) {
      const message = this.#schema.safeParse(parse(line))
      if (!message.success) {
        this.end()
        return
      }
      this.#onMessage(message.data)
    }
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
