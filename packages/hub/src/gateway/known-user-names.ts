import { type ReadUserName, readUserName } from './user-name.ts'

/** User names remembered, of at most some 2 kB each; when there are more, the one unused for longest is read anew. */
const MAX_KNOWN = 5_000

/** Reads user names, each once: a client says the same with every request. */
export class KnownUserNames {
  readonly #known = new Map<string, ReadUserName>()

  /** As `readUserName`; the same choices each time. */
  read(userName: string): ReadUserName {
    const known = this.#known.get(userName)
    if (known !== undefined) {
      // Put at the end: the order is that of the last uses.
      this.#known.delete(userName)
      this.#known.set(userName, known)
      return known
    }
    const read = readUserName(userName)
    if ('problem' in read) return read
    this.#known.set(userName, read)
    if (this.#known.size > MAX_KNOWN) this.#known.delete(this.#known.keys().next().value ?? userName)
    return read
  }
}
