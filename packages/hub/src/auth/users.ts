import { DEFAULT_REQUESTS_LIMIT, type UserRole } from '@mobilepool/sdk/contract'
import type { Refusal } from '../errors.ts'
import type { QuotaCount, UserChange, UserRecord, UserStore } from '../store/index.ts'
import type { Passwords } from './password.ts'

export interface UsersParts {
  store: UserStore
  passwords: Passwords
  now: () => number
  newId: () => string
}

/** A user to make. */
export interface NewUser {
  username: string
  email: string | null
  password: string
  role: UserRole
  /** Left out: the specification's default for a user, any number for an admin. */
  requestsLimit?: number | null | undefined
}

/** All users, in memory: who is logged in stays so while the database is away. */
export class Users {
  readonly #parts: UsersParts
  readonly #byId = new Map<string, UserRecord>()

  private constructor(parts: UsersParts) {
    this.#parts = parts
  }

  /** @throws HubError `database_down` */
  static async load(parts: UsersParts): Promise<Users> {
    const users = new Users(parts)
    await users.reload()
    return users
  }

  /** Takes over what the database has: another hub or the command line may have changed it. @throws HubError `database_down` */
  async reload(): Promise<void> {
    const all = await this.#parts.store.all()
    this.#byId.clear()
    for (const user of all) this.#byId.set(user.id, user)
  }

  /** Oldest first. */
  get all(): UserRecord[] {
    return [...this.#byId.values()].toSorted((a, b) => a.createdAt - b.createdAt)
  }

  find(id: string): UserRecord | null {
    return this.#byId.get(id) ?? null
  }

  findByName(username: string): UserRecord | null {
    const name = username.toLowerCase()
    return this.all.find((user) => user.username.toLowerCase() === name) ?? null
  }

  /** @throws HubError `database_down` */
  async create(asked: NewUser): Promise<UserRecord | Refusal> {
    const now = this.#parts.now()
    const { username, email, password, role, requestsLimit } = asked
    const user: UserRecord = {
      id: this.#parts.newId(),
      username,
      email,
      passwordHash: await this.#parts.passwords.hash(password),
      role,
      isActive: true,
      requestsLimit: requestsLimit === undefined ? (role === 'admin' ? null : DEFAULT_REQUESTS_LIMIT) : requestsLimit,
      requestsUsed: 0,
      requestsSince: now,
      tokenVersion: 1,
      lastLoginAt: null,
      createdAt: now,
      updatedAt: now,
    }
    if (!(await this.#parts.store.add(user))) return taken
    this.#byId.set(user.id, user)
    return user
  }

  /** Changes a user; a new password or role, and deactivation, end his sessions. @throws HubError `database_down` */
  async change(
    id: string,
    { password, ...change }: Omit<UserChange, 'passwordHash'> & { password?: string },
  ): Promise<UserRecord | Refusal> {
    const known = this.find(id)
    const { passwords, store, now } = this.#parts
    const hashed = password === undefined ? {} : { passwordHash: await passwords.hash(password) }
    const hasNewRole = change.role !== undefined && change.role !== known?.role
    const endSessions = password !== undefined || change.isActive === false || hasNewRole
    const changed = await store.change(id, { ...change, ...hashed }, { at: now(), endSessions })
    if (changed === null) return gone(id)
    if (changed === 'last_admin') return lastAdmin
    if (changed === 'taken') return taken
    this.#byId.set(id, changed)
    return changed
  }

  /** Removes a user with his keys and sessions. Null: done. @throws HubError `database_down` */
  async remove(id: string): Promise<Refusal | null> {
    const outcome = await this.#parts.store.remove(id)
    if (outcome === null) return gone(id)
    if (outcome === 'last_admin') return lastAdmin
    this.#byId.delete(id)
    return null
  }

  /** @throws HubError `database_down` */
  async loggedIn(id: string): Promise<void> {
    const at = this.#parts.now()
    await this.#parts.store.loggedIn(id, at)
    const user = this.#byId.get(id)
    if (user) user.lastLoginAt = at
  }

  /** Takes over counts as the database has them. */
  counted(counts: readonly QuotaCount[]): void {
    for (const { id, used, since } of counts) {
      const user = this.#byId.get(id)
      if (user) Object.assign(user, { requestsUsed: used, requestsSince: since })
    }
  }
}

const taken: Refusal = { code: 'user_exists', detail: 'Another user has this name or e-mail address.' }
const lastAdmin: Refusal = {
  code: 'last_admin',
  detail: 'This is the only active admin: make another user an admin first (PATCH /api/v1/users/{id} {"role":"admin"}).',
}
const gone = (id: string): Refusal => ({ code: 'not_found', detail: `There is no user ${id}.` })
