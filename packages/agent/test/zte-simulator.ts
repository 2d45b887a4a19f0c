import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What kind of ZTE stick this is, and what it does wrong. */
export interface ZteKnobs {
  /** How writes are to be signed. */
  signature: 'none' | 'md5' | 'sha256'
  /** Asks for a login. */
  password: string | null
  /** Whether logins are hashed with a one-time `LD`; older ones take base64. */
  hasLd: boolean
  mainState: string
  /** Reconnects by itself as soon as it is disconnected. */
  dialsByItself: boolean
  /** This many requests are reset while it boots. */
  bootRequests: number
}

const hash = (algorithm: string, text: string): string => createHash(algorithm).update(text).digest('hex')
const upperSha = (text: string): string => hash('sha256', text).toUpperCase()

/** A ZTE stick: its goform pages (reference: device-control.md 1.5). */
export class ZteSimulator {
  /** Orders that it carried out. */
  readonly orders: string[] = []
  logins = 0
  readonly #knobs: ZteKnobs
  readonly #server = createServer((request, answer) => void this.#serve(request, answer))
  #state = 'ppp_connected'
  #isLoggedIn: boolean
  #ld = ''
  #rd = ''
  #bootRequestsLeft = 0

  private constructor(knobs: Partial<ZteKnobs>) {
    this.#knobs = {
      signature: 'md5',
      password: null,
      hasLd: true,
      mainState: 'modem_init_complete',
      dialsByItself: false,
      bootRequests: 3,
      ...knobs,
    }
    this.#isLoggedIn = this.#knobs.password === null
  }

  static async start(knobs: Partial<ZteKnobs> = {}): Promise<ZteSimulator> {
    const simulator = new ZteSimulator(knobs)
    await new Promise<void>((resolve) => simulator.#server.listen(0, '127.0.0.1', resolve))
    return simulator
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    if (this.#bootRequestsLeft > 0) {
      this.#bootRequestsLeft -= 1
      request.socket.destroy()
      return
    }
    let body = ''
    for await (const chunk of request) body += chunk
    const url = new URL(request.url ?? '', this.url)
    if (request.headers.referer !== `${this.url}/index.html`) return void answer.writeHead(403).end('forbidden')
    const fields =
      request.method === 'GET' ? this.#read((url.searchParams.get('cmd') ?? '').split(',')) : this.#write(new URLSearchParams(body))
    answer.writeHead(200, { 'content-type': 'text/html' }).end(JSON.stringify(fields))
  }

  #read(names: readonly string[]): Record<string, string> {
    if (names.includes('LD')) this.#ld = this.#knobs.hasLd ? randomBytes(16).toString('hex').toUpperCase() : ''
    if (names.includes('RD')) this.#rd = randomBytes(16).toString('hex')
    const open: Record<string, string> = {
      loginfo: this.#isLoggedIn ? 'ok' : '',
      LD: this.#ld,
      RD: this.#rd,
      wa_inner_version: 'BD_MF79U_1.0',
      cr_version: 'CR1',
      modem_main_state: this.#knobs.mainState,
    }
    const state = this.#state
    // It takes one look longer to hang up and to dial.
    if (names.includes('ppp_status') && state === 'ppp_disconnecting')
      this.#state = this.#knobs.dialsByItself ? 'ppp_connected' : 'ppp_disconnected'
    if (names.includes('ppp_status') && state === 'ppp_connecting') this.#state = 'ppp_connected'
    const closed = {
      ppp_status: state,
      network_type: 'LTE',
      network_provider: 'TestNet',
      signalbar: '4',
      simcard_roam: 'Home',
      wan_ipaddr: '10.64.0.7',
    }
    const all: Record<string, string> = this.#isLoggedIn ? { ...open, ...closed } : open
    return Object.fromEntries(names.map((name) => [name, all[name] ?? '']))
  }

  #write(form: URLSearchParams): Record<string, string> {
    const order = form.get('goformId') ?? ''
    if (order === 'LOGIN') return { result: this.#logIn(form.get('password') ?? '') }
    const { signature } = this.#knobs
    const isSigned =
      signature === 'none' || (this.#rd !== '' && form.get('AD') === hash(signature, hash(signature, 'BD_MF79U_1.0CR1') + this.#rd))
    // Each is good for one write.
    this.#rd = ''
    if (!isSigned || !this.#isLoggedIn) return { result: 'failure' }
    if (order === 'CONNECT_NETWORK') this.#state = this.#state === 'ppp_connected' ? this.#state : 'ppp_connecting'
    else if (order === 'DISCONNECT_NETWORK') this.#state = 'ppp_disconnecting'
    else if (order === 'REBOOT_DEVICE') this.#bootRequestsLeft = this.#knobs.bootRequests
    else return { result: 'failure' }
    this.orders.push(order)
    return { result: 'success' }
  }

  #logIn(password: string): string {
    this.logins += 1
    const { password: right, hasLd } = this.#knobs
    const expected = hasLd ? upperSha(upperSha(right ?? '') + this.#ld) : Buffer.from(right ?? '').toString('base64')
    this.#ld = ''
    if (password !== expected) return '3'
    this.#isLoggedIn = true
    return '0'
  }
}
