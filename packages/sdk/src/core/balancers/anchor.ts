import { mix } from '../hash.ts'

/** Room for this many times the members before all keys are dealt anew. */
const HEADROOM = 4

/**
 * AnchorHash (Mendelson, Vargaftik, Barabash, Lorenz, Keslassy, Orda 2020): keys to members. When a member leaves only its own keys
 * move, evenly to the others; one that joins takes the place of the one that left last. A look-up costs a few steps whatever the
 * number of members, joining and leaving cost one, and there is no table to rebuild. When members outgrow the room, which is
 * four times what they were, all keys are dealt anew.
 */
export class Anchor<Member> {
  #room = 0
  /** How many members there are. */
  #size = 0
  /** The paper's A, K, W and L: size when a place was left (0: it is taken), its successor, the places taken, where each is in W. */
  #left = new Int32Array()
  #successor = new Int32Array()
  #taken = new Int32Array()
  #where = new Int32Array()
  /** Places left, the last on top. */
  #free: number[] = []
  #members: (Member | undefined)[] = []
  readonly #places = new Map<Member, number>()

  get size(): number {
    return this.#size
  }

  add(member: Member): void {
    if (this.#places.has(member)) return
    if (this.#free.length === 0) this.#makeRoom([...this.#places.keys(), member])
    else this.#seat(member)
  }

  remove(member: Member): void {
    const place = this.#places.get(member)
    if (place === undefined) return
    this.#places.delete(member)
    this.#members[place] = undefined
    this.#leave(place)
  }

  /** Whose the key is; `hash` is its 32-bit hash. Undefined when there are no members. */
  get(hash: number): Member | undefined {
    if (this.#size === 0) return undefined
    let place = hash % this.#room
    for (let left = this.#at(this.#left, place); left > 0; left = this.#at(this.#left, place)) {
      let other = mix(hash ^ mix(place + 1)) % left
      while (this.#at(this.#left, other) >= left) other = this.#at(this.#successor, other)
      place = other
    }
    return this.#members[place]
  }

  #makeRoom(members: readonly Member[]): void {
    this.#room = 2 ** Math.ceil(Math.log2(Math.max(16, members.length * HEADROOM)))
    const places = Int32Array.from({ length: this.#room }, (_, place) => place)
    this.#left = new Int32Array(this.#room)
    this.#successor = places.slice()
    this.#taken = places.slice()
    this.#where = places
    this.#free = []
    this.#members = new Array(this.#room).fill(undefined)
    this.#places.clear()
    this.#size = this.#room
    for (let place = this.#room - 1; place >= 0; place--) this.#leave(place)
    for (const member of members) this.#seat(member)
  }

  #seat(member: Member): void {
    const place = this.#free.pop()
    if (place === undefined) return
    this.#left[place] = 0
    this.#where[this.#at(this.#taken, this.#size)] = this.#size
    this.#taken[this.#at(this.#where, place)] = place
    this.#successor[place] = place
    this.#size++
    this.#members[place] = member
    this.#places.set(member, place)
  }

  #leave(place: number): void {
    this.#free.push(place)
    this.#size--
    this.#left[place] = this.#size
    const last = this.#at(this.#taken, this.#size)
    this.#taken[this.#at(this.#where, place)] = last
    this.#successor[place] = last
    this.#where[last] = this.#at(this.#where, place)
  }

  #at(array: Int32Array, index: number): number {
    return array[index] as number
  }
}
