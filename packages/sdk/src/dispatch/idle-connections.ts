/** Something that is idle and can be used again by who needs the same key. */
interface Idle {
  readonly key: string
}

/**
 * A device's idle connections, whatever they lead to. Each costs the phone a socket and us 30 KB and more (reference/sdk.md 2),
 * so at most so many are kept; of more, the ones that have been idle longest are surplus.
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

  /** Adds one; false: there are more now than are to be kept. */
  put(connection: T): boolean {
    if (!this.#all.has(connection)) {
      this.#all.add(connection)
      const same = this.#byKey.get(connection.key)
      if (same === undefined) this.#byKey.set(connection.key, [connection])
      else same.push(connection)
    }
    return this.#all.size <= this.#max
  }

  /** Takes those out that are too many, the longest idle first. */
  takeSurplus(): T[] {
    const surplus: T[] = []
    for (const oldest of this.#all) {
      if (this.#all.size <= this.#max) break
      surplus.push(oldest)
      this.delete(oldest)
    }
    return surplus
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
