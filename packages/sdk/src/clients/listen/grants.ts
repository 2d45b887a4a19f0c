import { createHash, timingSafeEqual } from 'node:crypto'
import type { Authenticate, Credentials, Verdict } from '../../proxy-server/index.ts'
import { narrow, type Scope, WHOLE_POOL } from '../scope.ts'
import { sessionDefaults } from '../view-options.ts'

/** A user of a local proxy. */
export interface Grant {
  readonly username: string
  readonly password: string
  /** What the user's requests ask of the pool. */
  readonly scope: Scope
  /** Whether `<username>-session-<id>` is the same user, staying on one device by that id. */
  readonly takesSessions: boolean
}

/** Whom a request of a local proxy is from. */
export interface Visitor {
  readonly grant: Grant
  readonly scope: Scope
}

const SESSION_MARK = '-session-'
/** Longest id of a session in a user name. */
const LONGEST_ID = 128

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
/** The digest of no password that anybody could send. */
const NOBODY = Buffer.alloc(32)

/** The users of one local proxy. */
export class Grants {
  /** By the digest of the name, so that the time of a look-up tells nothing of the names there are. */
  readonly #byName = new Map<string, { readonly grant: Grant; readonly password: Buffer }>()

  get size(): number {
    return this.#byName.size
  }

  add(grant: Grant): void {
    this.#byName.set(keyOf(grant.username), { grant, password: digest(grant.password) })
  }

  delete(grant: Grant): void {
    this.#byName.delete(keyOf(grant.username))
  }

  /** Says who somebody is; takes the same time whatever is wrong. */
  readonly authenticate: Authenticate<Visitor> = (credentials) => {
    const [name, id] = splitName(credentials?.username ?? '')
    const whole = this.#byName.get(keyOf(credentials?.username ?? ''))
    const base = this.#byName.get(keyOf(name))
    const entry = whole ?? (base?.grant.takesSessions === true ? base : undefined)
    const isRight = timingSafeEqual(digest(credentials?.password ?? ''), entry?.password ?? NOBODY)
    if (credentials === null || entry === undefined || !isRight) return refusal(credentials)
    const { grant } = entry
    if (whole !== undefined || id === null) return { allowed: true, user: { grant, scope: grant.scope } }
    if (id === '' || id.length > LONGEST_ID)
      return { allowed: false, detail: `The session id in the user name must have 1 to ${LONGEST_ID} characters.` }
    const scope = narrow(grant.scope, { ...WHOLE_POOL, session: { key: id, ...sessionDefaults } })
    return { allowed: true, user: { grant, scope } }
  }
}

const keyOf = (username: string): string => digest(username).toString('base64')

function splitName(username: string): [name: string, sessionId: string | null] {
  const at = username.indexOf(SESSION_MARK)
  return at < 0 ? [username, null] : [username.slice(0, at), username.slice(at + SESSION_MARK.length)]
}

const refusal = (credentials: Credentials | null): Verdict<never> => ({
  allowed: false,
  detail:
    credentials === null
      ? 'This proxy asks for a user name and a password (Proxy-Authorization: Basic).'
      : 'The user name or the password is wrong.',
})
