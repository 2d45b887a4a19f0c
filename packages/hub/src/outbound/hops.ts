import { type AddressGuard, TargetRefused } from './guarded-lookup.ts'

/** The addresses that one request and its redirects have dialled so far, and which may come next. */
export class Hops {
  readonly #allowsPrivate: boolean
  /** A public address was dialled: from there no way leads inside. */
  #isOutside = false

  constructor(allowsPrivate: boolean) {
    this.#allowsPrivate = allowsPrivate
  }

  /** Refuses an address, or remembers where it leads. @throws TargetRefused */
  readonly guard: AddressGuard = (host, found) => {
    if (found === 'never')
      throw new TargetRefused(`${host} leads to an address that the hub never calls (link-local, metadata, multicast).`)
    if (found === 'private' && !this.#allowsPrivate)
      throw new TargetRefused(`${host} leads to a private address, and OUTBOUND_PRIVATE=false forbids those.`)
    if (found === 'private' && this.#isOutside) throw new TargetRefused(`A redirect from outside leads to the private address of ${host}.`)
    if (found === 'public') this.#isOutside = true
  }
}
