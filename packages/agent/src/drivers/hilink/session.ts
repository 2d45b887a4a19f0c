import type { Clock } from '../../clock.ts'
import { AgentError } from '../../errors.ts'
import type { DeviceAnswer, DeviceHttp } from '../device-http.ts'
import { loginPassword } from './login.ts'
import type { HilinkOptions } from './options.ts'
import { codes, isSessionLost, refusal } from './refusal.ts'
import { type Fields, readAnswer, writeRequest } from './xml.ts'

const TOKEN = '__RequestVerificationToken'
/** After login some sticks hand out about 30 tokens at once. */
const MAX_TOKENS = 100
const BUSY_TRIES = 4
const BUSY_PAUSE_MS = 500

/** What a write sends, in the order that the stick wants. */
type Body = Readonly<Record<string, string>>

/**
 * A conversation with the stick. It holds one session cookie; each write spends a token, which is fetched before the write, or, while
 * logged in, taken from the answers. One request at a time, as the stick wants it.
 */
export class HilinkSession {
  readonly #http: DeviceHttp
  readonly #clock: Clock
  readonly #account: Pick<HilinkOptions, 'username' | 'password'>
  /** Null: there is no session yet; empty: the firmware has none. */
  #cookie: string | null = null
  #tokens: string[] = []
  #isLoggedIn: boolean = false
  /** A wrong password is said once to the stick: it locks itself after a few. */
  #loginFailure: AgentError | null = null
  #last: Promise<unknown> = Promise.resolve()

  constructor(http: DeviceHttp, clock: Clock, account: Pick<HilinkOptions, 'username' | 'password'>) {
    this.#http = http
    this.#clock = clock
    this.#account = account
  }

  /** Throws `unsupported`, `auth_failed`, `device_unreachable` ... */
  get(path: string, signal: AbortSignal): Promise<Fields> {
    return this.#alone(() => this.#ask(path, null, signal), signal)
  }

  /** Throws as `get()`. */
  async post(path: string, fields: Body, signal: AbortSignal): Promise<void> {
    await this.#alone(() => this.#ask(path, fields, signal), signal)
  }

  #alone<T>(run: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const turn = this.#last.then(() => {
      signal.throwIfAborted()
      return run()
    })
    this.#last = turn.catch(() => {})
    return turn
  }

  async #ask(path: string, body: Body | null, signal: AbortSignal): Promise<Fields> {
    let hasNewSession = false
    for (let busy = 1; ; ) {
      if (this.#cookie === null || (body && !this.#isLoggedIn)) await this.#open(signal)
      const { fields, errorCode } = await this.#send(path, body, signal)
      if (errorCode === null) return fields
      if (errorCode === codes.busy && busy < BUSY_TRIES) {
        busy += 1
        await this.#clock.sleep(BUSY_PAUSE_MS, signal)
      } else if (isSessionLost(errorCode) && !hasNewSession) {
        hasNewSession = true
        this.#forget()
      } else if (errorCode === codes.needsLogin && this.#account.password !== undefined && !this.#isLoggedIn) {
        await this.#logIn(this.#account.password, signal)
      } else {
        throw refusal(errorCode)
      }
    }
  }

  #forget(): void {
    this.#cookie = null
    this.#tokens = []
    this.#isLoggedIn = false
  }

  /** A fresh session with one token. */
  async #open(signal: AbortSignal): Promise<void> {
    this.#forget()
    const { fields, errorCode } = await this.#send('/api/webserver/SesTokInfo', null, signal)
    if (errorCode === null) {
      this.#cookie = (fields.SesInfo ?? '').replace(/^SessionID=/, '')
      if (fields.TokInfo) this.#tokens = [fields.TokInfo]
      return
    }
    if (errorCode !== codes.unsupported) throw refusal(errorCode)
    // The oldest firmware has tokens without sessions, or none at all.
    const old = await this.#send('/api/webserver/token', null, signal)
    this.#cookie ??= ''
    if (old.fields.token) this.#tokens = [old.fields.token]
  }

  async #logIn(password: string, signal: AbortSignal): Promise<void> {
    if (this.#loginFailure) throw this.#loginFailure
    await this.#open(signal)
    const state = await this.#send('/api/user/state-login', null, signal)
    const passwordType = state.fields.password_type ?? '4'
    const { username } = this.#account
    const hashed = loginPassword(username, password, passwordType, this.#tokens[0] ?? '')
    const body = { Username: username, Password: hashed, password_type: passwordType }
    const { errorCode } = await this.#send('/api/user/login', body, signal)
    if (errorCode === null) {
      this.#isLoggedIn = true
      return
    }
    const failure =
      errorCode === codes.unsupported
        ? new AgentError('unsupported', 'The stick wants a login of a newer kind (SCRAM): switch its login off on its web page.')
        : refusal(errorCode)
    if (failure.code === 'auth_failed' || failure.code === 'unsupported') this.#loginFailure = failure
    throw failure
  }

  async #send(path: string, body: Body | null, signal: AbortSignal): Promise<NonNullable<ReturnType<typeof readAnswer>>> {
    const token = body ? this.#tokens.shift() : undefined
    const answer = await this.#http.send(
      {
        method: body ? 'POST' : 'GET',
        path,
        headers: {
          ...(this.#cookie ? { cookie: `SessionID=${this.#cookie}` } : {}),
          ...(body ? { 'content-type': 'text/xml; charset=UTF-8' } : {}),
          ...(token !== undefined ? { [TOKEN]: token } : {}),
        },
        ...(body ? { body: writeRequest(body) } : {}),
      },
      signal,
    )
    this.#learn(answer)
    const read = readAnswer(answer.text)
    if (!read)
      throw new AgentError('device_unreachable', `What answers at the stick's address is no HiLink stick (status ${answer.status}).`)
    return read
  }

  /** Takes what the headers bring for the next requests. */
  #learn({ headers }: DeviceAnswer): void {
    const cookie = /SessionID=([^;,\s]+)/.exec(headers['set-cookie'] ?? '')?.[1]
    if (cookie !== undefined) this.#cookie = cookie
    const name = TOKEN.toLowerCase()
    const brought = [headers[`${name}one`], headers[`${name}two`]].filter((token) => token !== undefined)
    if (brought.length === 0) brought.push(...(headers[name] ?? '').split('#'))
    this.#tokens = [...this.#tokens, ...brought.filter((token) => token !== '')].slice(-MAX_TOKENS)
  }
}
