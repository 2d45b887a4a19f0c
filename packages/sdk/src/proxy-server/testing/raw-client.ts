import { connect, type Socket } from 'node:net'

/** How a connection ended as its client saw it. */
export type Ending = 'end' | 'reset'

/** A client that writes bytes as given and keeps what it gets. */
export class RawClient {
  readonly socket: Socket
  readonly closed: Promise<Ending>
  received = ''
  #waiting: (() => void)[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    let ending: Ending = 'end'
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.received += text
      this.#wake()
    })
    socket.on('end', () => this.#wake())
    socket.on('error', () => {
      ending = 'reset'
    })
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        resolve(ending)
        this.#wake()
      })
    })
  }

  /** `halfOpen`: the other side's end does not end this one. */
  static async open(port: number, halfOpen: boolean): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: halfOpen })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new RawClient(socket)
  }

  /** On a connection that stands already. */
  static over(socket: Socket): RawClient {
    return new RawClient(socket)
  }

  send(text: string): this {
    this.socket.write(text, 'latin1')
    return this
  }

  /** Waits until what was received matches, and returns it all; throws when the connection ends before. */
  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      if (pattern.test(this.received)) return this.received
      if (this.socket.destroyed || this.socket.readableEnded) {
        throw new Error(`the connection ended before ${pattern} came: ${JSON.stringify(this.received)}`)
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  /** Waits for the other side's end and returns everything received. */
  async all(): Promise<string> {
    while (!this.socket.readableEnded && !this.socket.destroyed) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return this.received
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const tell of waiting) tell()
  }
}
