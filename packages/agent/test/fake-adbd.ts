import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** How this phone is, and what goes wrong with it. */
export interface PhoneKnobs {
  /** Whether this Android's shell may switch airplane mode. */
  hasAirplaneMode: boolean
  /** Takes the command and does nothing. */
  ignoresCommands: boolean
  /** Has not allowed the host. */
  isUnauthorized: boolean
  /** From switching on to a network that is validated. */
  attachMs: number
  /** `gsm.sim.state`. */
  simState: string
  /** Answers no call. */
  isSilent: boolean
  /** How long a reboot takes. */
  rebootMs: number
}

const usual: PhoneKnobs = {
  hasAirplaneMode: true,
  ignoresCommands: false,
  isUnauthorized: false,
  attachMs: 50,
  simState: 'LOADED,ABSENT',
  isSilent: false,
  rebootMs: 300,
}

const HEADER_BYTES = 24
const idOf = (name: string): number => Buffer.from(name, 'latin1').readUInt32LE(0)
const BANNER = 'device::ro.product.name=fake;ro.product.model=Fake_A14;ro.product.device=fake;features=shell_v2,cmd'

/**
 * A phone for the real adb: our daemon speaks its protocol (reference: device-control.md 5.11) over TCP, and runs what is sent to its shell
 * by a real `sh`, with Android's commands as scripts that read and write the phone's state.
 */
export class FakePhone {
  readonly knobs: PhoneKnobs
  readonly folder: string = mkdtempSync(join(tmpdir(), 'mp-phone-'))
  /** What was sent to its shell. */
  readonly scripts: string[] = []
  reboots = 0
  #server: Server = createServer()
  #port = 0
  readonly #sockets = new Set<Socket>()
  /** Process groups of what its shell has run: a guard stays behind. */
  readonly #groups = new Set<number>()

  private constructor(knobs: Partial<PhoneKnobs>) {
    this.knobs = { ...usual, ...knobs }
    mkdirSync(join(this.folder, 'bin'))
    mkdirSync(join(this.folder, 'tmp'))
    this.set('airplane', '0')
    this.set('data', '1')
    this.set('on_since', '0')
    for (const [name, lines] of Object.entries(this.#commands())) {
      writeFileSync(join(this.folder, 'bin', name), `#!/bin/sh\ncd ${this.folder}\n${lines}\n`)
      chmodSync(join(this.folder, 'bin', name), 0o755)
    }
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
    return this.#get('airplane') === '1'
  }

  get isDataOn(): boolean {
    return this.#get('data') === '1'
  }

  set(name: 'airplane' | 'data' | 'on_since', value: string): void {
    writeFileSync(join(this.folder, name), `${value}\n`)
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
    rmSync(this.folder, { recursive: true, force: true })
  }

  #get(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8').trim()
  }

  #commands(): Record<string, string> {
    const { hasAirplaneMode, ignoresCommands, attachMs, simState } = this.knobs
    const put = (file: string, value: string): string => (ignoresCommands ? ':' : `echo ${value} > ${file}; date +%s%3N > on_since`)
    const airplane = `case "$3" in
      enable) ${put('airplane', '1')};; disable) ${put('airplane', '0')};;
      "") [ "$(cat airplane)" = 1 ] && echo enabled || echo disabled;; esac`
    return {
      cmd: hasAirplaneMode ? airplane : 'echo "Unknown command: airplane-mode"; exit 255',
      svc: `case "$1 $2" in "data enable") ${put('data', '1')};; "data disable") ${put('data', '0')};; esac`,
      settings: 'case "$3" in airplane_mode_on) cat airplane;; mobile_data) cat data;; esac',
      getprop: `case "$1" in gsm.operator.alpha) echo "TestNet,";; gsm.sim.state) echo "${simState}";; gsm.network.type) echo "LTE,Unknown";;
        gsm.operator.isroaming) echo "false,false";; esac`,
      dumpsys: `case "$1" in
        battery) printf 'Current Battery Service state:\\n  USB powered: true\\n  level: 83\\n  temperature: 312\\n';;
        telephony.registry) echo "    mSignalStrength=SignalStrength:{mLte=CellSignalStrengthLte: rsrp=-98 level=3 parametersUseForLevel=0,mNr=CellSignalStrengthNr:{ level = 0 }}";;
        connectivity) [ "$(cat airplane)$(cat data)" = 01 ] && [ $(($(date +%s%3N) - $(cat on_since))) -ge ${attachMs} ] &&
          echo "  NetworkAgentInfo [MOBILE (LTE) - 101] CONNECTED/CONNECTED DnsAddresses: [ /10.1.1.1,/10.1.1.2 ] VALIDATED";; esac`,
    }
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
    if (name !== 'OPEN' || this.knobs.isSilent) return
    const [, script] = /^shell[^:]*:([\s\S]*)$/.exec(data) ?? []
    if (data.startsWith('reboot:')) this.#reboot(socket, id)
    else if (script === undefined) send(socket, 'CLSE', 0, id)
    else this.#shell(socket, id, script)
  }

  #shell(socket: Socket, id: number, script: string): void {
    this.scripts.push(script)
    send(socket, 'OKAY', 1, id)
    const env = { PATH: `${join(this.folder, 'bin')}:/usr/bin:/bin`, TMPDIR: join(this.folder, 'tmp') }
    const child = spawn('/bin/sh', ['-c', script], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
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
        this.set('on_since', String(Date.now()))
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
