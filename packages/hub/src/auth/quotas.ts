import type { Refusal } from '../errors.ts'
import type { FleetEvents } from '../fleet/events.ts'
import type { QuotaOwner, QuotaStore } from '../store/index.ts'
import type { Caller } from './caller.ts'
import type { KeyRing } from './key-ring.ts'
import { type Counted, countedNow, periodStart, type QuotaPeriod, resetAt } from './quota.ts'
import type { Users } from './users.ts'

export interface QuotasParts {
  store: QuotaStore
  users: Users
  keys: KeyRing
  events: FleetEvents
  /** May change while the hub runs. */
  period: () => QuotaPeriod
  now: () => number
}

/** One whose requests are counted: a user or a key, as it is kept in memory. */
interface Account extends Counted {
  id: string
  requestsLimit: number | null
}

/** Counts requests through the pool against the quotas of keys and of the users whose they are; written in groups. */
export class Quotas {
  readonly #parts: QuotasParts
  readonly #waiting: Record<QuotaOwner, Map<string, number>> = { user: new Map(), key: new Map() }

  constructor(parts: QuotasParts) {
    this.#parts = parts
  }

  /** Counts requests that were made for this caller. */
  count(caller: Pick<Caller, 'keyId' | 'userId'>, requests: number): void {
    if (requests <= 0) return
    const { users, keys } = this.#parts
    const user = caller.userId === null ? null : users.find(caller.userId)
    const key = caller.keyId === null ? null : keys.find(caller.keyId)
    if (user) this.#add('user', user, user.username, requests)
    if (key) this.#add('key', key, key.name, requests)
  }

  /** Why this caller gets no more requests now; null: he does. */
  refusalFor(caller: Pick<Caller, 'keyId' | 'userId'>): Refusal | null {
    const { users, keys, period, now } = this.#parts
    const user = caller.userId === null ? null : users.find(caller.userId)
    const key = caller.keyId === null ? null : keys.find(caller.keyId)
    for (const [account, whose] of [
      [user, `user ${user?.username}`],
      [key, `key "${key?.name}"`],
    ] as const) {
      if (!account || account.requestsLimit === null) continue
      const used = countedNow(account, period(), now())
      if (used < account.requestsLimit) continue
      const ends = resetAt(period(), now())
      const detail = `The ${whose} has used ${used} of ${account.requestsLimit} requests`
      return ends === null
        ? { code: 'quota_exhausted', detail: `${detail}: an admin can raise the limit.` }
        : {
            code: 'quota_exhausted',
            detail: `${detail} until ${new Date(ends).toISOString()}: an admin can raise the limit.`,
            retryAfter: Math.max(1, Math.ceil((ends - now()) / 1000)),
          }
    }
    return null
  }

  /** Whether the quota of a user or a key is used up now; one who is gone has none. */
  isUsedUp(of: QuotaOwner, id: string): boolean {
    const { users, keys, period, now } = this.#parts
    const account: Account | null | undefined = of === 'user' ? users.find(id) : keys.find(id)
    if (!account || account.requestsLimit === null) return false
    return countedNow(account, period(), now()) >= account.requestsLimit
  }

  /** Writes what was counted since the last time. @throws HubError `database_down`; it is written next time */
  async flush(): Promise<void> {
    for (const kind of ['user', 'key'] as const) {
      const waiting = this.#waiting[kind]
      if (waiting.size === 0) continue
      const adds = [...waiting].map(([id, requests]) => ({ id, requests }))
      waiting.clear()
      try {
        const counts = await this.#parts.store.count(kind, adds, periodStart(this.#parts.period(), this.#parts.now()))
        this.#take(kind, counts)
      } catch (error) {
        for (const { id, requests } of adds) waiting.set(id, (waiting.get(id) ?? 0) + requests)
        throw error
      }
    }
  }

  /** Learns what other hubs have counted. @throws HubError `database_down` */
  async reload(): Promise<void> {
    for (const kind of ['user', 'key'] as const) this.#take(kind, await this.#parts.store.limited(kind))
  }

  #take(of: QuotaOwner, counts: { id: string; used: number; since: number }[]): void {
    // What was counted here meanwhile is not in the database yet.
    const all = counts.map((count) => ({ ...count, used: count.used + (this.#waiting[of].get(count.id) ?? 0) }))
    this.#parts[of === 'user' ? 'users' : 'keys'].counted(all)
  }

  #add(of: QuotaOwner, account: Account, name: string, requests: number): void {
    const { period, now, events } = this.#parts
    const before = countedNow(account, period(), now())
    account.requestsSince = Math.max(account.requestsSince, periodStart(period(), now()))
    account.requestsUsed = before + requests
    this.#waiting[of].set(account.id, (this.#waiting[of].get(account.id) ?? 0) + requests)
    const { id, requestsLimit: limit, requestsUsed: used } = account
    if (limit !== null && before < limit && used >= limit) events.announce({ type: 'limit_exceeded', of, id, name, limit, used, at: now() })
  }
}
