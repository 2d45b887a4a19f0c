/** Who lends devices: the shape of the pool's `lease`. */
export interface LeasingPool {
  /** Sets a device aside for a key of ours; requests through `proxyUrl` go through it. */
  lease(options: { session: string }): Promise<SessionLease>
}

/** A lease, as far as these adapters need it. */
export interface SessionLease {
  readonly proxyUrl: string
  release(): unknown
}

/** How long and how many. */
export interface SessionLeaseOptions {
  /** A session that was not asked for so long gives its lease back. From 1. @default 1800000, half an hour */
  ttlMs?: number
  /** Sessions at most: the one that was not asked for longest gives its lease back. From 1. @default 1000, as Crawlee's session pool */
  maxSessions?: number
}

/** What is not given. */
const sessionLeaseDefaults = { ttlMs: 1_800_000, maxSessions: 1_000 } as const

/** One lease a session: the same session has the same device for as long as it is used. */
export class SessionLeases {
  readonly #pool: LeasingPool
  readonly #ttlMs: number
  readonly #maxSessions: number
  /** The least recently used first. */
  readonly #held = new Map<string, Held>()
  #isClosed: boolean = false

  /** Throws `RangeError` when an option is out of its bounds. */
  constructor(pool: LeasingPool, options: SessionLeaseOptions = {}) {
    const { ttlMs, maxSessions } = { ...sessionLeaseDefaults, ...options }
    for (const [name, value] of Object.entries({ ttlMs, maxSessions }))
      if (!Number.isInteger(value) || value < 1) throw new RangeError(`${name}: must be a whole number from 1, not ${value}`)
    this.#pool = pool
    this.#ttlMs = ttlMs
    this.#maxSessions = maxSessions
  }

  /** Sessions that hold a lease. */
  get size(): number {
    return this.#held.size
  }

  /** The proxy URL of a session; the first time a device is leased for it. Rejects as `pool.lease` does, and the next call tries again. */
  async proxyUrl(session: string): Promise<string> {
    if (this.#isClosed) throw new Error('the proxy configuration is closed')
    const held = this.#held.get(session) ?? this.#hold(session)
    this.#held.delete(session)
    this.#held.set(session, held)
    held.expiry.refresh()
    return (await held.lease).proxyUrl
  }

  /** The session is over: its lease is given back. */
  async retire(session: string): Promise<void> {
    const held = this.#held.get(session)
    if (held === undefined) return
    this.#held.delete(session)
    await giveBack(held)
  }

  /** Gives back all leases; no more are taken. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#held.keys()].map((session) => this.retire(session)))
  }

  #hold(session: string): Held {
    const lease = this.#pool.lease({ session })
    const expiry = setTimeout(() => void this.retire(session), this.#ttlMs)
    expiry.unref()
    const held: Held = { lease, expiry }
    lease.catch(() => {
      clearTimeout(expiry)
      if (this.#held.get(session) === held) this.#held.delete(session)
    })
    const [oldest] = this.#held.keys()
    if (this.#held.size >= this.#maxSessions && oldest !== undefined) void this.retire(oldest)
    return held
  }
}

interface Held {
  readonly lease: Promise<SessionLease>
  readonly expiry: NodeJS.Timeout
}

async function giveBack({ lease, expiry }: Held): Promise<void> {
  clearTimeout(expiry)
  const held = await lease.catch(() => null)
  await held?.release()
}
