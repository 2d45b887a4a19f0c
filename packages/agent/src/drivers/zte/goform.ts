import { z } from 'zod'
import { AgentError } from '../../errors.ts'
import type { DeviceAnswer, DeviceHttp } from '../device-http.ts'
import { loginPassword, type Signature, writeToken } from './secrets.ts'

const answerFields = z.record(z.string(), z.coerce.string())
/** In the order of their ages: what an old stick does not know it ignores. */
const signatures: readonly Signature[] = ['none', 'md5', 'sha256']

/** The fields of an answer; what the stick does not know is empty or missing. */
export type GoformFields = Readonly<Record<string, string | undefined>>

/** A ZTE stick's goform pages. The stick knows a login by the address that it came from; nothing is kept between requests. */
export class Goform {
  readonly #http: DeviceHttp
  readonly #origin: string
  readonly #password: string | undefined
  #signature: Signature | null = null
  /** A wrong password is said once to the stick: it locks itself after a few. */
  #loginFailure: AgentError | null = null

  constructor(http: DeviceHttp, options: { readonly origin: string; readonly password?: string | undefined }) {
    this.#http = http
    this.#origin = options.origin
    this.#password = options.password
  }

  /** Reads fields, logged in where there is a password. Throws `auth_failed`, `device_unreachable`. */
  async read(fields: readonly string[], signal: AbortSignal): Promise<GoformFields> {
    if (this.#password === undefined) return this.#get(fields, signal)
    const answer = await this.#get([...fields, 'loginfo'], signal)
    if (answer.loginfo === 'ok') return answer
    await this.#logIn(this.#password, signal)
    return this.#get(fields, signal)
  }

  /** Gives an order. Throws `auth_failed`, `unsupported` (the stick refuses it), `device_unreachable`. */
  async write(goformId: string, signal: AbortSignal): Promise<void> {
    if (this.#password !== undefined) await this.read([], signal)
    for (const signature of this.#signature === null ? signatures : [this.#signature]) {
      const signed = signature === 'none' ? {} : { AD: await this.#sign(signature, signal) }
      if ((await this.#post({ goformId, notCallback: 'true', ...signed }, signal)) === 'success') {
        this.#signature = signature
        return
      }
    }
    // Its firmware may have been changed.
    this.#signature = null
    const { loginfo } = await this.#get(['loginfo'], signal)
    if (this.#password === undefined && loginfo !== undefined && loginfo !== 'ok')
      throw new AgentError('auth_failed', 'The stick asks for a login: give driverOptions.password.')
    throw new AgentError('unsupported', `The stick refuses ${goformId}.`)
  }

  async #logIn(password: string, signal: AbortSignal): Promise<void> {
    if (this.#loginFailure) throw this.#loginFailure
    const { LD: ld = '' } = await this.#get(['LD'], signal)
    const result = await this.#post({ goformId: 'LOGIN', password: loginPassword(password, ld) }, signal)
    if (result === '0') return
    const why = result === '3' ? 'the password is wrong' : `it answers ${result}, perhaps after too many wrong passwords`
    this.#loginFailure = new AgentError('auth_failed', `The stick refuses the login: ${why}. The agent tries again when it is restarted.`)
    throw this.#loginFailure
  }

  async #sign(algorithm: 'md5' | 'sha256', signal: AbortSignal): Promise<string> {
    const {
      wa_inner_version: inner = '',
      cr_version: cr = '',
      RD: rd = '',
    } = await this.#get(['wa_inner_version', 'cr_version', 'RD'], signal)
    return writeToken(algorithm, inner + cr, rd)
  }

  async #get(fields: readonly string[], signal: AbortSignal): Promise<GoformFields> {
    const query = new URLSearchParams({ isTest: 'false', multi_data: '1', cmd: fields.join(',') })
    // The stick wants the commas as they are.
    const path = `/goform/goform_get_cmd_process?${String(query).replaceAll('%2C', ',')}`
    return fieldsOf(await this.#http.send({ method: 'GET', path, headers: this.#headers() }, signal))
  }

  async #post(fields: Record<string, string>, signal: AbortSignal): Promise<string> {
    const answer = await this.#http.send(
      {
        method: 'POST',
        path: '/goform/goform_set_cmd_process',
        headers: { ...this.#headers(), 'content-type': 'application/x-www-form-urlencoded' },
        body: String(new URLSearchParams({ isTest: 'false', ...fields })),
      },
      signal,
    )
    return fieldsOf(answer).result ?? ''
  }

  /** Most firmware answers only its own page. */
  #headers(): Record<string, string> {
    return { referer: `${this.#origin}/index.html` }
  }
}

function fieldsOf({ text, status }: DeviceAnswer): GoformFields {
  try {
    return answerFields.parse(JSON.parse(text))
  } catch (error) {
    throw new AgentError('device_unreachable', `What answers at the stick's address is no ZTE stick (status ${status}).`, { cause: error })
  }
}
