import { networkInterfaces } from 'node:os'
import { ipAddress } from '@mobilepool/sdk/contract'
import { z } from 'zod'

/** Linux knows no longer names. */
const MAX_INTERFACE_NAME = 15

/** Options of every driver whose device is a network interface of this host: exactly one of the two is needed. */
export const mobileInterfaceOptions = {
  /** Name of the interface that the device's traffic leaves by, like `wwan0`; its first IPv4 address is the source of all traffic. */
  interface: z.string().min(1).max(MAX_INTERFACE_NAME).optional(),
  /** The source address itself, where it never changes. */
  sourceAddress: ipAddress.optional(),
  /** Where the interface's traffic goes: the modem's or stick's end of the link. @default as the host's default route by it has it */
  gateway: z.ipv4('must be an IPv4 address').optional(),
}

interface InterfaceChoice {
  readonly interface?: string | undefined
  readonly sourceAddress?: string | undefined
  readonly gateway?: string | undefined
}

/** What is wrong with the two together, or null. */
export const interfaceProblem = (options: InterfaceChoice): string | null =>
  (options.interface === undefined) === (options.sourceAddress === undefined)
    ? 'one of interface and sourceAddress is needed: which way does the traffic of the device leave?'
    : null

/** The host's own end of the mobile link, looked at anew each time: it comes and goes with rotations. */
export class MobileInterface {
  readonly #options: InterfaceChoice

  constructor(options: InterfaceChoice) {
    this.#options = options
  }

  /** Its name, where that was given. */
  get name(): string | null {
    return this.#options.interface ?? null
  }

  /** The other end of the link, where that was given. */
  get gateway(): string | null {
    return this.#options.gateway ?? null
  }

  /** The address that all traffic must leave by; null while there is none. */
  address(): string | null {
    if (this.#options.sourceAddress !== undefined) return this.#options.sourceAddress
    const addresses = networkInterfaces()[this.#options.interface ?? ''] ?? []
    return addresses.find(({ family }) => family === 'IPv4')?.address ?? null
  }

  /** Its first IPv6 address beyond the link itself (fe80::/10); only where the interface was named. */
  address6(): string | null {
    const addresses = networkInterfaces()[this.#options.interface ?? ''] ?? []
    return addresses.find(({ family, scopeid }) => family === 'IPv6' && scopeid === 0)?.address ?? null
  }

  /** Addresses of the host's other interfaces: seen as the exit IP they mean a leak. */
  hostAddresses(): readonly string[] {
    const own = this.address()
    return Object.entries(networkInterfaces())
      .filter(([name]) => name !== this.#options.interface)
      .flatMap(([, addresses]) => (addresses ?? []).map(({ address }) => address))
      .filter((address) => address !== own)
  }
}
