/**
 * A binary heap whose items know their place, so that any of them can be taken out or moved in O(log n).
 * An item may lie in several heaps, each with a place of its own.
 */
export class Heap<Item> {
  readonly #items: Item[] = []
  readonly #isBefore: (one: Item, other: Item) => boolean
  readonly #setPlace: (item: Item, place: number) => void

  /** `setPlace` is told where an item lies after every move; -1 when it is out. */
  constructor(isBefore: (one: Item, other: Item) => boolean, setPlace: (item: Item, place: number) => void) {
    this.#isBefore = isBefore
    this.#setPlace = setPlace
  }

  get size(): number {
    return this.#items.length
  }

  get first(): Item | undefined {
    return this.#items[0]
  }

  add(item: Item): void {
    this.#items.push(item)
    this.#rise(item, this.#items.length - 1)
  }

  takeFirst(): Item | undefined {
    const first = this.#items[0]
    if (first !== undefined) this.removeAt(0)
    return first
  }

  removeAt(place: number): void {
    const item = this.#items[place]
    const last = this.#items.pop()
    if (item === undefined || last === undefined) return
    this.#setPlace(item, -1)
    if (item !== last) this.#settle(last, place)
  }

  /** To be called when what an item is compared by has changed. */
  moved(place: number): void {
    const item = this.#items[place]
    if (item !== undefined) this.#settle(item, place)
  }

  /** The first in order that passes the test. Looks at few more than those that come before it. */
  find(passes: (item: Item) => boolean): Item | undefined {
    const root = this.#items[0]
    if (root === undefined) return undefined
    if (passes(root)) return root
    const isNearer = (one: number, other: number): boolean => this.#isBefore(this.#at(one), this.#at(other))
    const frontier = new Heap<number>(isNearer, () => {})
    for (let place: number | undefined = 0; place !== undefined; place = frontier.takeFirst()) {
      const item = this.#at(place)
      if (place > 0 && passes(item)) return item
      if (2 * place + 1 < this.#items.length) frontier.add(2 * place + 1)
      if (2 * place + 2 < this.#items.length) frontier.add(2 * place + 2)
    }
    return undefined
  }

  [Symbol.iterator](): IterableIterator<Item> {
    return this.#items.values()
  }

  #at(place: number): Item {
    return this.#items[place] as Item
  }

  #settle(item: Item, place: number): void {
    const parent = this.#items[(place - 1) >> 1]
    if (place > 0 && parent !== undefined && this.#isBefore(item, parent)) this.#rise(item, place)
    else this.#sink(item, place)
  }

  #rise(item: Item, place: number): void {
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = this.#at(above)
      if (!this.#isBefore(item, parent)) break
      this.#put(parent, place)
      place = above
    }
    this.#put(item, place)
  }

  #sink(item: Item, place: number): void {
    const { length } = this.#items
    for (;;) {
      let below = 2 * place + 1
      if (below >= length) break
      if (below + 1 < length && this.#isBefore(this.#at(below + 1), this.#at(below))) below++
      const child = this.#at(below)
      if (!this.#isBefore(child, item)) break
      this.#put(child, place)
      place = below
    }
    this.#put(item, place)
  }

  #put(item: Item, place: number): void {
    this.#items[place] = item
    this.#setPlace(item, place)
  }
}
