import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the simulated stick does wrong; all off by default. */
export interface HilinkKnobs {
  /** `strict`: a token is good for one write; `lenient`: for all of its session; `batch`: login brings thirty; `none`: firmware without. */
  tokens: 'strict' | 'lenient' | 'batch' | 'none'
  /** Asks for a login. */
  password: string | null
  passwordType: '0' | '4'
  /** This many writes are answered with 100004. */
  busyTimes: number
  /** Answers to this many requests never come. */
  silentTimes: number
  /** Sessions are forgotten after this many requests. */
  sessionRequests: number
  simState: string
  /** It ignores that data is to be off. */
  dialsByItself: boolean
  /** This many requests are reset while it boots. */
  bootRequests: number
  /** After a reboot its data is off, as some firmware has it. */
  isOffAfterBoot: boolean
}

interface Session {
  tokens: string[]
  isLoggedIn: boolean
  requestsLeft: number
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const newToken = (): string => randomBytes(16).toString('hex')
const xml = (body: string): string => `<?xml version="1.0" encoding="UTF-8"?>\n${body}\n`
const response = (fields: Record<string, string>): string => {
  const elements = Object.entries(fields).map(([name, value]) => `<${name}>${value}</${name}>`)
  return xml(`<response>\n${elements.join('\n')}\n</response>`)
}
const error = (code: number): string => xml(`<error>\n<code>${code}</code>\n<message></message>\n</error>`)
const ok = xml('<response>OK</response>')

/** A HiLink stick: its HTTP API with sessions, single-use tokens, login and connection states (reference: device-control.md 1.4). */
export class HilinkSimulator {
  /** Writes that it accepted: path and the body's first values. */
  readonly writes: string[] = []
  logins = 0
  mode = '00'
  isDataOn: boolean = true
  /** Source addresses of requests. */
  readonly callers = new Set<string>()
  readonly #knobs: HilinkKnobs
  readonly #sessions = new Map<string, Session>()
  readonly #server = createServer((request, answer) => void this.#serve(request, answer))
  #connection = 901
  #bootRequestsLeft = 0

  private constructor(knobs: Partial<HilinkKnobs>) {
    this.#knobs = {
      tokens: 'strict',
      password: null,
      passwordType: '4',
      busyTimes: 0,
      silentTimes: 0,
      sessionRequests: Number.POSITIVE_INFINITY,
      simState: '257',
      dialsByItself: false,
      bootRequests: 4,
      isOffAfterBoot: false,
      ...knobs,
    }
  }

  static async start(knobs: Partial<HilinkKnobs> = {}): Promise<HilinkSimulator> {
    const simulator = new HilinkSimulator(knobs)
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
    this.callers.add(request.socket.remoteAddress ?? '')
    if (this.#bootRequestsLeft > 0) {
      this.#bootRequestsLeft -= 1
      request.socket.destroy()
      return
    }
    if (this.#knobs.silentTimes > 0) {
      this.#knobs.silentTimes -= 1
      return
    }
    let body = ''
    for await (const chunk of request) body += chunk
    const headers: Record<string, string> = { 'content-type': 'text/html' }
    const text = this.#answer(request, body, headers)
    answer.writeHead(200, headers).end(text)
  }

  #answer(request: IncomingMessage, body: string, headers: Record<string, string>): string {
    const path = request.url ?? ''
    if (path === '/api/webserver/token') return error(100_002)
    if (path === '/api/webserver/SesTokInfo') return this.#newSession(headers)
    const session = this.#sessionOf(request)
    if (!session) return error(125_002)
    if (request.method === 'GET') return this.#read(path, session)
    if (!this.#spend(session, request.headers.__requestverificationtoken, headers)) return error(125_003)
    return this.#write(path, body, session, String(request.headers.__requestverificationtoken), headers)
  }

  #newSession(headers: Record<string, string>): string {
    if (this.#knobs.tokens === 'none') return error(100_002)
    const id = newToken()
    const token = newToken()
    this.#sessions.set(id, { tokens: [token], isLoggedIn: this.#knobs.password === null, requestsLeft: this.#knobs.sessionRequests })
    headers['set-cookie'] = `SessionID=${id}; Path=/; HttpOnly`
    return response({ SesInfo: `SessionID=${id}`, TokInfo: token })
  }

  #sessionOf(request: IncomingMessage): Session | null {
    if (this.#knobs.tokens === 'none') return { tokens: [], isLoggedIn: true, requestsLeft: 1 }
    const session = this.#sessions.get(/SessionID=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? '')
    if (!session || session.requestsLeft === 0) return null
    session.requestsLeft -= 1
    return session
  }

  #spend(session: Session, token: unknown, headers: Record<string, string>): boolean {
    const { tokens } = this.#knobs
    if (tokens === 'none') return true
    if (typeof token !== 'string' || !session.tokens.includes(token)) return false
    if (tokens === 'lenient') return true
    const next = newToken()
    session.tokens = [...session.tokens.filter((other) => other !== token), next]
    headers.__RequestVerificationToken = next
    return true
  }

  #read(path: string, session: Session): string {
    if (path === '/api/user/state-login')
      return response({ State: session.isLoggedIn ? '0' : '-1', Username: '', password_type: this.#knobs.passwordType })
    if (!session.isLoggedIn && path !== '/api/device/signal' && path !== '/api/net/current-plmn') return error(100_003)
    switch (path) {
      case '/api/monitoring/status': {
        // It takes one look longer to disconnect.
        const state = this.#connection
        if (state === 903) this.#connection = 902
        if (state === 900) this.#connection = 901
        const ip = state === 901 ? '100.64.7.2' : ''
        const fields = { SignalIcon: '4', maxsignal: '5', CurrentNetworkType: '19', CurrentNetworkTypeEx: '101', SimStatus: '1' }
        return response({ ConnectionStatus: String(state), ...fields, RoamingStatus: '0', WanIPAddress: ip, ServiceStatus: '2' })
      }
      case '/api/dialup/mobile-dataswitch':
        return response({ dataswitch: this.isDataOn ? '1' : '0' })
      case '/api/net/current-plmn':
        return response({ State: '0', FullName: 'Test &amp; Net', ShortName: 'TestNet', Numeric: '00101', Rat: '7' })
      case '/api/pin/status':
        return response({ SimState: this.#knobs.simState })
      case '/api/net/net-mode':
        return response({ NetworkMode: this.mode, NetworkBand: '3FFFFFFF', LTEBand: '7FFFFFFFFFFFFFFF' })
    }
    return error(100_002)
  }

  #write(path: string, body: string, session: Session, token: string, headers: Record<string, string>): string {
    if (path === '/api/user/login') return this.#logIn(body, session, token, headers)
    if (!session.isLoggedIn) return error(100_003)
    if (this.#knobs.busyTimes > 0) {
      this.#knobs.busyTimes -= 1
      return error(100_004)
    }
    const value = /<request><\w+>(\w+)</.exec(body)?.[1] ?? ''
    if (path === '/api/net/net-mode' && this.#connection !== 902) return error(112_001)
    this.writes.push(`${path} ${value}`)
    if (path === '/api/net/net-mode') this.mode = value
    if (path === '/api/dialup/mobile-dataswitch') this.#switchData(value === '1')
    if (path === '/api/device/control') this.#reboot()
    return ok
  }

  #logIn(body: string, session: Session, token: string, headers: Record<string, string>): string {
    this.logins += 1
    const { password, passwordType } = this.#knobs
    const user = /<Username>(.*?)</.exec(body)?.[1] ?? ''
    const hashed = base64(sha256(user + base64(sha256(password ?? '')) + token))
    const expected = passwordType === '4' ? hashed : base64(password ?? '')
    if (/<Password>(.*?)</.exec(body)?.[1] !== expected) return error(this.logins >= 3 ? 108_007 : 108_006)
    session.isLoggedIn = true
    session.tokens = Array.from({ length: this.#knobs.tokens === 'batch' ? 30 : 2 }, newToken)
    delete headers.__RequestVerificationToken
    if (this.#knobs.tokens === 'batch') headers.__RequestVerificationToken = session.tokens.join('#')
    else [headers.__RequestVerificationTokenone = '', headers.__RequestVerificationTokentwo = ''] = session.tokens
    return ok
  }

  #switchData(isOn: boolean): void {
    if (!isOn && this.#knobs.dialsByItself) return
    if (isOn !== this.isDataOn) this.#connection = isOn ? 900 : 903
    this.isDataOn = isOn
  }

  #reboot(): void {
    this.#bootRequestsLeft = this.#knobs.bootRequests
    this.#sessions.clear()
    this.isDataOn = !this.#knobs.isOffAfterBoot
    this.#connection = this.isDataOn ? 900 : 902
  }
}
