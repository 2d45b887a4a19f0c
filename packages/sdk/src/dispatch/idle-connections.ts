/** Something that is idle and can be used again by who needs the same key. */
interface Idle<T> {
  readonly key: string
  /** Where it stands among the idle; `IdleConnections` alone writes it. */
  readonly place: IdlePlace<T>
}

/** Links of its owner's, kept with it: a set would allocate anew every few requests, and requests come and go all the time. */
export class IdlePlace<T> {
  isIdle: boolean = false
  /** Idle for longer, and for less long: among all, and among those with the same key. */
  older: T | null = null
  newer: T | null = null
  olderAlike: T | null = null
  newerAlike: T | null = null
}

/** Keys remembered although nothing with them is idle. */
const REMEMBERED_KEYS = 100

/**
 * A device's idle connections, whatever they lead to. Each costs the phone a socket and us 30 KB and more (reference/sdk.md 2),
 * so at most so many are kept; of more, the ones that have been idle longest are surplus.
 */
export class IdleConnections<T extends Idle<T>> {
  readonly #max: number
  #size = 0
  #oldest: T | null = null
  #newest: T | null = null
  readonly #newestByKey = new Map<string, T | null>()

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#size
  }

  /** Adds one; false: there are more now than are to be kept. */
  put(connection: T): boolean {
    const { place, key } = connection
    if (!place.isIdle) {
      place.isIdle = true
      this.#size++
      place.older = this.#newest
      if (this.#newest === null) this.#oldest = connection
      else this.#newest.place.newer = connection
      this.#newest = connection
      const alike = this.#newestByKey.get(key) ?? null
      place.olderAlike = alike
      if (alike !== null) alike.place.newerAlike = connection
      this.#newestByKey.set(key, connection)
    }
    return this.#size <= this.#max
  }

  /** Takes those out that are too many, the longest idle first. */
  takeSurplus(): T[] {
    const surplus: T[] = []
    for (let oldest = this.#oldest; oldest !== null && this.#size > this.#max; oldest = this.#oldest) {
      surplus.push(oldest)
      this.delete(oldest)
    }
    return surplus
  }

  /** Takes the one that was used last: it is the least likely to be closed meanwhile. */
  take(key: string): T | undefined {
    const newest = this.#newestByKey.get(key) ?? undefined
    if (newest !== undefined) this.delete(newest)
    return newest
  }

  has(key: string): boolean {
    return (this.#newestByKey.get(key) ?? null) !== null
  }

  delete({ key, place }: T): void {
    if (!place.isIdle) return
    place.isIdle = false
    this.#size--
    const { older, newer, olderAlike, newerAlike } = place
    if (older === null) this.#oldest = newer
    else older.place.newer = newer
    if (newer === null) this.#newest = older
    else newer.place.older = older
    if (olderAlike !== null) olderAlike.place.newerAlike = newerAlike
    if (newerAlike !== null) newerAlike.place.olderAlike = olderAlike
    else if (olderAlike !== null || this.#newestByKey.size <= REMEMBERED_KEYS) this.#newestByKey.set(key, olderAlike)
    else this.#newestByKey.delete(key)
    place.older = null
    place.newer = null
    place.olderAlike = null
    place.newerAlike = null
  }
}
