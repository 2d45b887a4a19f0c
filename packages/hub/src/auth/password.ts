import { PASSWORD_MAX_BYTES } from '@mobilepool/sdk/contract'
import { hash, verify } from '@node-rs/bcrypt'
import PQueue from 'p-queue'
import { HubError } from '../errors.ts'

/** bcrypt runs on Node's few threads, which files and names need too. */
const AT_ONCE = 2
/** Some ten seconds of work; who comes later is better told so. */
const MAX_WAITING = 50

/** Hashes passwords and compares them: a few at a time, never on the main thread. */
export class Passwords {
  readonly #cost: number
  /** Nobody's hash, of the same cost: comparing with it takes as long as comparing with a user's. */
  readonly #nobodys: string
  readonly #queue = new PQueue({ concurrency: AT_ONCE })

  /** `cost`: of new hashes, 10 to 15. */
  constructor(cost: number) {
    this.#cost = cost
    this.#nobodys = `$2b$${String(cost).padStart(2, '0')}$${'abcdefghijklmnopqrstuu'}${'C6UzMDM.H6dfI/f/IKcEe4uSIGSyeEy'}`
  }

  /** @throws HubError `too_many_requests` when too many wait already */
  hash(password: string): Promise<string> {
    return this.#inTurn(() => hash(password, { cost: this.#cost, rejectLongPasswords: true }))
  }

  /**
   * Whether it is the password of this hash; null (nobody) takes as long and is never it.
   * @throws HubError `too_many_requests` when too many wait already
   */
  async matches(password: string, of: string | null): Promise<boolean> {
    // bcrypt cuts at 72 bytes: a longer text would match the password that it begins with.
    const isTooLong = Buffer.byteLength(password) > PASSWORD_MAX_BYTES
    const isSame = await this.#inTurn(() => verify(password, of ?? this.#nobodys))
    return isSame && of !== null && !isTooLong
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#queue.size >= MAX_WAITING)
      throw new HubError('too_many_requests', 'Too many passwords are being checked at this moment. Try again later.', { retryAfter: 5 })
    return this.#queue.add(work)
  }
}
