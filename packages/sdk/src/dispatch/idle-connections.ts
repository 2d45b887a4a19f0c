/** Something that is idle and can be used again by who needs the same key. */
interface Idle {
  readonly key: string
}

/**
 * A device's idle connections, whatever they lead to. Each costs the phone a socket and us 30 KB and more (reference/sdk.md 2),
 * so there are at most so many; the one that has been idle longest goes first.
 */
export class IdleConnections<T extends Idle> {
  readonly #max: number
  /** Longest idle first. */
  readonly #all = new Set<T>()
  readonly #byKey = new Map<string, T[]>()

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#all.size
  }

  /** Adds one; returns the one that has to go for it, which may be itself. */
  put(connection: T): T | undefined {
    if (this.#all.has(connection)) return undefined
    this.#all.add(connection)
    const same = this.#byKey.get(connection.key)
    if (same === undefined) this.#byKey.set(connection.key, [connection])
    else same.push(connection)
    if (this.#all.size <= this.#max) return undefined
    const [oldest] = this.#all
    if (oldest !== undefined) this.delete(oldest)
    return oldest
  }

  /** Takes the one that was used last: it is the least likely to be closed meanwhile. */
  take(key: string): T | undefined {
    const newest = this.#byKey.get(key)?.at(-1)
    if (newest !== undefined) this.delete(newest)
    return newest
  }

  has(key: string): boolean {
    return this.#byKey.has(key)
  }

  delete(connection: T): void {
    if (!this.#all.delete(connection)) return
    const same = this.#byKey.get(connection.key) ?? []
    if (same.length === 1) this.#byKey.delete(connection.key)
    else same.splice(same.lastIndexOf(connection), 1)
  }
}
