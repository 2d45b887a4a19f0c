/**
 * Who is due when: a binary heap, so that ten thousand entries cost a few steps each. An item has one time; setting another
 * replaces it (the old entry stays in the heap until it comes up, and is then skipped).
 */
export class DueTimes<Item> {
  readonly #heap: { readonly at: number; readonly item: Item }[] = []
  readonly #current = new Map<Item, number>()

  has(item: Item): boolean {
    return this.#current.has(item)
  }

  set(item: Item, at: number): void {
    this.#current.set(item, at)
    // Without this, items that are set anew and anew would fill the heap with what no longer counts.
    if (this.#heap.length > 2 * this.#current.size + 16) this.#rebuild()
    else this.#push({ at, item })
  }

  delete(item: Item): void {
    this.#current.delete(item)
  }

  /** The first time of all; infinity when there is none. */
  get earliest(): number {
    this.#skipStale()
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY
  }

  /** Takes out those whose time has come, the earliest first. */
  takeDue(now: number): Item[] {
    const due: Item[] = []
    for (;;) {
      this.#skipStale()
      const first = this.#heap[0]
      if (first === undefined || first.at > now) return due
      this.#pop()
      this.#current.delete(first.item)
      due.push(first.item)
    }
  }

  #skipStale(): void {
    for (let first = this.#heap[0]; first !== undefined && this.#current.get(first.item) !== first.at; first = this.#heap[0]) this.#pop()
  }

  #rebuild(): void {
    this.#heap.length = 0
    for (const [item, at] of this.#current) this.#push({ at, item })
  }

  #push(entry: { readonly at: number; readonly item: Item }): void {
    const heap = this.#heap
    let index = heap.push(entry) - 1
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = heap[parentIndex]
      if (parent === undefined || parent.at <= entry.at) break
      heap[index] = parent
      index = parentIndex
    }
    heap[index] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      const left = heap[child]
      if (left === undefined) break
      const right = heap[child + 1]
      if (right !== undefined && right.at < left.at) child++
      const smaller = heap[child]
      if (smaller === undefined || smaller.at >= last.at) break
      heap[index] = smaller
      index = child
    }
    heap[index] = last
  }
}
