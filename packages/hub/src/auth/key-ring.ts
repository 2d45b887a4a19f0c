import type { Refusal } from '../errors.ts'
import type { KeyChange, KeyRecord, KeyStore, KeyUse, QuotaCount, UserRecord } from '../store/index.ts'
import type { Attempts } from './attempts.ts'
import type { Caller } from './caller.ts'
import { hashOf, isSameHash, keyRecord, type NewKey, newSecret } from './key.ts'

export interface KeyRingParts {
  store: KeyStore
  attempts: Attempts
  /** Other processes may add keys to this database: an unknown one is looked up. */
  isShared: boolean
  /** Random bytes of a new key. */
  keyBytes: number
  /** The user whose key it is. */
  owner: (userId: string) => UserRecord | null
  now: () => number
  newId: () => string
}

/** All keys, in memory: while the database is away those known go on to work. */
export class KeyRing {
  readonly #parts: KeyRingParts
  readonly #byHash = new Map<string, KeyRecord>()
  readonly #byId = new Map<string, KeyRecord>()
  /** How many valid keys each device has. */
  readonly #deviceKeys = new Map<string, number>()
  /** The key that each device was enrolled with since this start, until it is used. */
  readonly #unused = new Map<string, string>()
  /** Uses that are not written yet: one a key. */
  readonly #uses = new Map<string, KeyUse>()

  private constructor(parts: KeyRingParts) {
    this.#parts = parts
  }

  /** @throws HubError `database_down` */
  static async load(parts: KeyRingParts): Promise<KeyRing> {
    const ring = new KeyRing(parts)
    for (const key of await parts.store.all()) ring.take(key)
    return ring
  }

  /** Takes over what the database has; the ids of keys that ended by it. @throws HubError `database_down` */
  async reload(): Promise<string[]> {
    const before = [...this.#byHash.values()]
    const stored = await this.#parts.store.all()
    const found = new Map(stored.map((key) => [key.hash, key]))
    const isGone = (stored: KeyRecord | undefined): boolean => stored === undefined || stored.revokedAt !== null
    const gone = before.filter((key) => key.revokedAt === null && isGone(found.get(key.hash)))
    // Keys that were added here while the database was asked are not in its answer.
    const since = new Set(before.map(({ hash }) => hash))
    for (const key of this.#byHash.values()) if (since.has(key.hash) && !found.has(key.hash)) this.#drop(key)
    for (const key of stored) this.take(key)
    return gone.map(({ id }) => id)
  }

  /** Every key, revoked ones too, oldest first. */
  get keys(): KeyRecord[] {
    return [...this.#byHash.values()].toSorted((a, b) => a.createdAt - b.createdAt)
  }

  /** Whether a key can administer this hub. */
  get hasAdmin(): boolean {
    return this.keys.some((key) => key.scope === 'admin' && this.#refusalOf(key) === null)
  }

  find(id: string): KeyRecord | null {
    return this.#byId.get(id) ?? null
  }

  /** Whether the device's heartbeats must bring a key. */
  hasDeviceKey(deviceId: string): boolean {
    return (this.#deviceKeys.get(deviceId) ?? 0) > 0
  }

  /** Whether the hub knows this key and it is good, without asking the database. */
  isGood(secret: string): boolean {
    const key = this.#byHash.get(hashOf(secret))
    return key !== undefined && this.#refusalOf(key) === null
  }

  /** Whose key it is. @throws HubError `database_down` when only the database could tell */
  async identify(secret: string, address: string): Promise<Caller | Refusal> {
    const hash = hashOf(secret)
    const key = this.#byHash.get(hash) ?? (await this.#lookUp(hash, address))
    const refusal = key && isSameHash(key.hash, hash) ? this.#refusalOf(key) : 'The hub does not know this key.'
    if (!key || refusal !== null)
      return this.#parts.attempts.wrong(address, { code: 'unauthorized', detail: refusal ?? 'The hub does not know this key.' })
    if (key.deviceId !== null) this.#unused.delete(key.deviceId)
    this.#uses.set(key.id, { id: key.id, at: this.#parts.now(), address })
    key.lastUsedAt = this.#parts.now()
    const { id, name, scope, deviceId, userId, rateLimit } = key
    return { id, name, keyId: id, scope, deviceId, userId, sessionId: null, rateLimit }
  }

  /** Makes a key and shows it this once. @throws HubError `database_down` */
  async create(of: Omit<NewKey, 'id' | 'createdAt'>): Promise<{ secret: string; key: KeyRecord }> {
    const secret = newSecret('mp_', this.#parts.keyBytes)
    const key = keyRecord(secret, { ...of, id: this.#parts.newId(), createdAt: this.#parts.now() })
    await this.#parts.store.add(key)
    this.take(key)
    return { secret, key }
  }

  /** Accepts a secret that the operator chose as an admin key; one that was revoked stays so. @throws HubError `database_down` */
  async adopt(secret: string, name: string): Promise<void> {
    if (this.#byHash.has(hashOf(secret))) return
    const key = keyRecord(secret, { id: this.#parts.newId(), name, scope: 'admin', deviceId: null, createdAt: this.#parts.now() })
    await this.#parts.store.add(key)
    this.take(key)
  }

  /** The key as changed, or null when there is none of that id. @throws HubError `database_down` */
  async change(id: string, change: KeyChange): Promise<KeyRecord | null> {
    const key = await this.#parts.store.change(id, change)
    if (key) this.take(key)
    return key
  }

  /** The key as revoked, or null when there is none of that id. @throws HubError `database_down` */
  async revoke(id: string): Promise<KeyRecord | null> {
    const key = await this.#parts.store.revoke(id, this.#parts.now())
    if (key) this.take(key)
    return key
  }

  /** Takes over a key as the database has it. */
  take(key: KeyRecord): void {
    const known = this.#byHash.get(key.hash)
    this.#count(known, -1)
    this.#byHash.set(key.hash, key)
    this.#byId.set(key.id, key)
    this.#count(key, 1)
  }

  /** A device was enrolled anew: its former keys were revoked, this one is valid. */
  replaceDeviceKeys(key: KeyRecord & { deviceId: string }): void {
    for (const old of this.#byHash.values())
      if (old.deviceId === key.deviceId && old.revokedAt === null) this.take({ ...old, revokedAt: key.createdAt })
    this.take(key)
    this.#unused.set(key.deviceId, key.id)
  }

  /** Whether nobody has ever used this key that a device was enrolled with; false when that is not known (any more). */
  isUnused(deviceId: string, keyId: string): boolean {
    return this.#unused.get(deviceId) === keyId
  }

  /** A device was removed, its keys with it. */
  forgetDevice(deviceId: string): void {
    for (const key of this.#byHash.values()) if (key.deviceId === deviceId) this.#drop(key)
    this.#deviceKeys.delete(deviceId)
    this.#unused.delete(deviceId)
  }

  /** A user was removed, his keys with him; their ids. */
  forgetUser(userId: string): string[] {
    const keys = this.keys.filter((key) => key.userId === userId)
    for (const key of keys) this.#drop(key)
    return keys.map(({ id }) => id)
  }

  /** Takes over counts as the database has them. */
  counted(counts: readonly QuotaCount[]): void {
    for (const { id, used, since } of counts) {
      const key = this.#byId.get(id)
      if (key) Object.assign(key, { requestsUsed: used, requestsSince: since })
    }
  }

  /** Writes which keys were used since the last time: one statement for all. @throws HubError `database_down`; they are written next time */
  async flushUses(): Promise<void> {
    const uses = [...this.#uses.values()]
    this.#uses.clear()
    try {
      await this.#parts.store.used(uses)
    } catch (error) {
      for (const use of uses) if (!this.#uses.has(use.id)) this.#uses.set(use.id, use)
      throw error
    }
  }

  /** Why a key that is known is not good; null: it is. */
  #refusalOf(key: KeyRecord): string | null {
    if (key.revokedAt !== null) return 'This key was revoked.'
    if (key.expiresAt !== null && key.expiresAt <= this.#parts.now()) return `This key expired at ${new Date(key.expiresAt).toISOString()}.`
    if (key.userId === null) return null
    const owner = this.#parts.owner(key.userId)
    if (!owner?.isActive) return 'The user whose key this is has been deactivated.'
    return key.scope === 'admin' && owner.role !== 'admin' ? 'The user whose key this is is no admin any more.' : null
  }

  async #lookUp(hash: string, address: string): Promise<KeyRecord | null> {
    // Guessing must not turn into queries without end.
    if (!this.#parts.isShared || this.#parts.attempts.isExhausted(address)) return null
    const key = await this.#parts.store.byHash(hash)
    if (key) this.take(key)
    return key
  }

  #drop(key: KeyRecord): void {
    if (!this.#byHash.delete(key.hash)) return
    this.#byId.delete(key.id)
    this.#count(key, -1)
    this.#uses.delete(key.id)
  }

  #count(key: KeyRecord | undefined, by: 1 | -1): void {
    if (!key?.deviceId || key.revokedAt !== null) return
    this.#deviceKeys.set(key.deviceId, (this.#deviceKeys.get(key.deviceId) ?? 0) + by)
  }
}
