import type { KeyScope } from '@mobilepool/sdk/contract'
import type { Refusal } from '../errors.ts'
import type { KeyRecord, KeyStore } from '../store/index.ts'
import type { Attempts } from './attempts.ts'
import { hashOf, isSameHash, keyRecord, newSecret } from './key.ts'

/** Who speaks, as far as a key tells. */
export interface Caller {
  keyId: string
  scope: KeyScope
  /** The device that a `device` key speaks for. */
  deviceId: string | null
}

export interface KeyRingParts {
  store: KeyStore
  attempts: Attempts
  /** Other processes may add keys to this database: an unknown one is looked up. */
  isShared: boolean
  now: () => number
  newId: () => string
}

/** All keys, in memory: while the database is away those known go on to work. */
export class KeyRing {
  readonly #parts: KeyRingParts
  readonly #byHash = new Map<string, KeyRecord>()
  /** How many valid keys each device has. */
  readonly #deviceKeys = new Map<string, number>()
  /** The key that each device was enrolled with since this start, until it is used. */
  readonly #unused = new Map<string, string>()

  private constructor(parts: KeyRingParts) {
    this.#parts = parts
  }

  /** @throws HubError `database_down` */
  static async load(parts: KeyRingParts): Promise<KeyRing> {
    const ring = new KeyRing(parts)
    for (const key of await parts.store.all()) ring.take(key)
    return ring
  }

  /** Every key, revoked ones too, oldest first. */
  get keys(): KeyRecord[] {
    return [...this.#byHash.values()].toSorted((a, b) => a.createdAt - b.createdAt)
  }

  /** Whether anybody can administer this hub. */
  get hasAdmin(): boolean {
    return this.keys.some(({ scope, revokedAt }) => scope === 'admin' && revokedAt === null)
  }

  /** Whether the device's heartbeats must bring a key. */
  hasDeviceKey(deviceId: string): boolean {
    return (this.#deviceKeys.get(deviceId) ?? 0) > 0
  }

  /** Whose key it is. @throws HubError `database_down` when only the database could tell */
  async identify(secret: string, address: string): Promise<Caller | Refusal> {
    const hash = hashOf(secret)
    const key = this.#byHash.get(hash) ?? (await this.#lookUp(hash, address))
    if (key && isSameHash(key.hash, hash) && key.revokedAt === null) {
      if (key.deviceId !== null) this.#unused.delete(key.deviceId)
      return { keyId: key.id, scope: key.scope, deviceId: key.deviceId }
    }
    return this.#parts.attempts.wrong(address, {
      code: 'unauthorized',
      detail: key ? 'This key was revoked.' : 'The hub does not know this key.',
    })
  }

  /** Makes a key and shows it this once. @throws HubError `database_down` */
  async create(of: { name: string; scope: KeyScope; deviceId: string | null }): Promise<{ secret: string; key: KeyRecord }> {
    const secret = newSecret('mp_')
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
    for (const key of this.#byHash.values()) if (key.deviceId === deviceId) this.#byHash.delete(key.hash)
    this.#deviceKeys.delete(deviceId)
    this.#unused.delete(deviceId)
  }

  async #lookUp(hash: string, address: string): Promise<KeyRecord | null> {
    // Guessing must not turn into queries without end.
    if (!this.#parts.isShared || this.#parts.attempts.isExhausted(address)) return null
    const key = await this.#parts.store.byHash(hash)
    if (key) this.take(key)
    return key
  }

  #count(key: KeyRecord | undefined, by: 1 | -1): void {
    if (!key?.deviceId || key.revokedAt !== null) return
    this.#deviceKeys.set(key.deviceId, (this.#deviceKeys.get(key.deviceId) ?? 0) + by)
  }
}
