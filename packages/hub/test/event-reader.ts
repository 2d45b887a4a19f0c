import { type ClientRequest, type IncomingHttpHeaders, request } from 'node:http'
import { vi } from 'vitest'
import { trace } from './secrets/trace.ts'

/** One server-sent event as it was received. */
export interface ReceivedEvent {
  /** Empty when it brought none. */
  id: string
  name: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of many shapes
  data: any
}

/** Reads a stream of server-sent events the plain way: bytes, blank lines, fields. */
export class EventReader {
  readonly events: ReceivedEvent[] = []
  headers: IncomingHttpHeaders = {}
  #state: 'opening' | 'open' | 'ended' = 'opening'
  readonly opened: Promise<void>
  readonly ended: Promise<void>
  readonly #request: ClientRequest
  readonly #chunks: string[] = []
  #rest = ''
  readonly #path: string

  constructor(url: string, { headers = {} }: { headers?: Record<string, string> } = {}) {
    let end: () => void = () => {}
    this.ended = new Promise((resolve) => {
      end = resolve
    })
    this.#path = new URL(url).pathname
    this.#request = request(url, { agent: false, headers: { accept: 'text/event-stream', ...headers } })
    this.opened = new Promise((resolve, reject) => {
      this.#request.on('error', (error) => (this.isOpen ? end() : reject(error)))
      this.#request.on('response', (reply) => {
        this.headers = reply.headers
        reply.setEncoding('utf8')
        reply.on('data', (chunk: string) => {
          this.#take(chunk)
          this.#state = 'open'
          resolve()
        })
        const over = (): void => {
          this.#state = 'ended'
          end()
          reject(new Error(`the stream ended: ${reply.statusCode} ${this.text}`))
        }
        reply.on('close', over)
        reply.on('error', over)
      })
    })
    this.#request.end()
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Everything received. */
  get text(): string {
    return this.#chunks.join('')
  }

  /** The id of the last numbered event. */
  get lastEventId(): string {
    return this.events.findLast(({ id }) => id !== '')?.id ?? ''
  }

  /** Waits until an event of that name has come. */
  async until(name: string): Promise<ReceivedEvent> {
    return vi.waitFor(
      () => {
        const found = this.events.find((event) => event.name === name)
        if (!found) throw new Error(`no event "${name}" among ${this.events.map((event) => event.name).join(', ') || 'none'}`)
        return found
      },
      { timeout: 10_000, interval: 10 },
    )
  }

  close(): void {
    this.#request.destroy()
  }

  #take(chunk: string): void {
    this.#chunks.push(chunk)
    const parts = (this.#rest + chunk).split('\n\n')
    this.#rest = parts.pop() ?? ''
    for (const part of parts) {
      trace({ kind: 'answer', method: 'GET', path: this.#path, text: part })
      const lines = part.split('\n').filter((line) => line !== '' && !line.startsWith(':'))
      const fields = new Map(lines.map((line): [string, string] => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]))
      const data = fields.get('data')
      if (data !== undefined)
        this.events.push({ id: fields.get('id') ?? '', name: fields.get('event') ?? 'message', data: JSON.parse(data) })
    }
  }
}
