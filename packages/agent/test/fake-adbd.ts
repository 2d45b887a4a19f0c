import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { type PhoneKnobs, PhoneTools } from './phone-tools.ts'

const HEADER_BYTES = 24
const idOf = (name: string): number => Buffer.from(name, 'latin1').readUInt32LE(0)
const BANNER = 'device::ro.product.name=fake;ro.product.model=Fake_A14;ro.product.device=fake;features=shell_v2,cmd'

/**
 * A phone for the real adb: our daemon speaks its protocol (reference: device-control.md 5.11) over TCP, and runs what is sent to its shell
 * by a real `sh`, with Android's commands as scripts that read and write the phone's state.
 */
export class FakePhone {
  readonly knobs: PhoneKnobs
  readonly folder: string
  readonly #tools: PhoneTools
  /** What was sent to its shell. */
  readonly scripts: string[] = []
  reboots = 0
  /** What it was asked while it was silent. */
  unanswered = 0
  #server: Server = createServer()
  #port = 0
  readonly #sockets = new Set<Socket>()
  /** Process groups of what its shell has run: a guard stays behind. */
  readonly #groups = new Set<number>()

  private constructor(knobs: Partial<PhoneKnobs>) {
    this.#tools = new PhoneTools(knobs)
    this.knobs = this.#tools.knobs
    this.folder = this.#tools.folder
  }

  static async start(knobs: Partial<PhoneKnobs> = {}): Promise<FakePhone> {
    const phone = new FakePhone(knobs)
    await phone.appear()
    return phone
  }

  /** As `adb connect` wants it. */
  get serial(): string {
    return `127.0.0.1:${this.#port}`
  }

  get isAirplaneMode(): boolean {
    return this.#tools.isAirplaneMode
  }

  get isDataOn(): boolean {
    return this.#tools.isDataOn
  }

  /** Listens again, where it listened before. */
  async appear(): Promise<void> {
    this.#server = createServer((socket) => this.#serve(socket))
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** The cable is pulled. */
  async vanish(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve))
  }

  async stop(): Promise<void> {
    await this.vanish()
    for (const group of this.#groups) {
      try {
        process.kill(-group, 'SIGKILL')
      } catch {
        // It has ended.
      }
    }
    this.#tools.remove()
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
    let unread = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk])
      while (unread.length >= HEADER_BYTES) {
        const length = unread.readUInt32LE(12)
        if (unread.length < HEADER_BYTES + length) return
        const [name, id] = [unread.toString('latin1', 0, 4), unread.readUInt32LE(4)]
        const data = unread.toString('utf8', HEADER_BYTES, HEADER_BYTES + length)
        unread = unread.subarray(HEADER_BYTES + length)
        this.#take(socket, name, id, data.replace(/\0$/, ''))
      }
    })
  }

  #take(socket: Socket, name: string, id: number, data: string): void {
    if (name === 'CNXN') {
      if (this.knobs.isUnauthorized) send(socket, 'AUTH', 1, 0, Buffer.alloc(20))
      else send(socket, 'CNXN', 0x01000001, 256 * 1024, Buffer.from(BANNER))
    }
    if (name !== 'OPEN') return
    if (this.knobs.isSilent) {
      this.unanswered++
      return
    }
    const [, script] = /^shell[^:]*:([\s\S]*)$/.exec(data) ?? []
    if (data.startsWith('reboot:')) this.#reboot(socket, id)
    else if (script === undefined) send(socket, 'CLSE', 0, id)
    else this.#shell(socket, id, script)
  }

  #shell(socket: Socket, id: number, script: string): void {
    this.scripts.push(script)
    send(socket, 'OKAY', 1, id)
    const child = spawn('/bin/sh', ['-c', script], { env: this.#tools.env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    if (child.pid !== undefined) this.#groups.add(child.pid)
    const out: Buffer[] = []
    for (const [stream, kind] of [
      [child.stdout, 1],
      [child.stderr, 2],
    ] as const)
      stream.on('data', (chunk: Buffer) => out.push(frame(kind, chunk)))
    child.on('close', (code) => {
      out.push(frame(3, Buffer.from([code ?? 1])))
      send(socket, 'WRTE', 1, id, Buffer.concat(out))
      send(socket, 'CLSE', 1, id)
    })
  }

  #reboot(socket: Socket, id: number): void {
    this.reboots += 1
    send(socket, 'OKAY', 1, id)
    send(socket, 'CLSE', 1, id)
    setTimeout(() => {
      void this.vanish().then(() => {
        this.#tools.set('on_since', String(Date.now()))
        setTimeout(() => void this.appear(), this.knobs.rebootMs)
      })
    }, 20)
  }
}

/** Of shell protocol v2: 1 is stdout, 2 stderr, 3 the exit code. */
function frame(kind: number, data: Buffer): Buffer {
  const header = Buffer.alloc(5)
  header[0] = kind
  header.writeUInt32LE(data.length, 1)
  return Buffer.concat([header, data])
}

function send(socket: Socket, name: string, first: number, second: number, data: Buffer = Buffer.alloc(0)): void {
  const header = Buffer.alloc(HEADER_BYTES)
  const id = idOf(name)
  const sum = data.reduce((total, byte) => (total + byte) >>> 0, 0)
  for (const [at, value] of [id, first, second, data.length, sum, (id ^ 0xffffffff) >>> 0].entries()) header.writeUInt32LE(value, at * 4)
  if (!socket.destroyed) socket.write(Buffer.concat([header, data]))
}
