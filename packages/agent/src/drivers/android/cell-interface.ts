import type { InterfaceAddress } from './phone-state.ts'

/** By chipset: Qualcomm, MediaTek, Exynos, Unisoc; `v4-` where the carrier has only IPv6 and the phone translates. */
const CELL_NAME = /^(v4-)?(rmnet|ccmni|pdp|wwan|seth)/

/** The first that is named as chipsets name theirs. */
export const findCell = (addresses: readonly InterfaceAddress[]): InterfaceAddress | undefined =>
  addresses.find(({ name }) => CELL_NAME.test(name))

/** The phone's own cellular interface, as its shell last saw it: an app is not told of interfaces by the newer Androids. */
export class CellInterface {
  readonly #wanted: string | undefined
  #addresses: readonly InterfaceAddress[] = []

  /** @param wanted its name; undefined: the first one that is named as chipsets name theirs */
  constructor(wanted: string | undefined) {
    this.#wanted = wanted
  }

  /** Takes what the shell saw. */
  see(addresses: readonly InterfaceAddress[]): void {
    this.#addresses = addresses
  }

  /** Null while there is none. */
  get name(): string | null {
    return this.#own()?.name ?? null
  }

  /** Its IPv4 address; null while there is none. */
  address(): string | null {
    return this.#own()?.address ?? null
  }

  /** Addresses of the phone's other interfaces, Wi-Fi above all: seen as the exit IP they mean a leak. */
  hostAddresses(): readonly string[] {
    const own = this.address()
    return this.#addresses.map(({ address }) => address).filter((address) => address !== own)
  }

  #own(): InterfaceAddress | undefined {
    return this.#wanted === undefined ? findCell(this.#addresses) : this.#addresses.find(({ name }) => name === this.#wanted)
  }
}
