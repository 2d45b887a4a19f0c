import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'

/** One query's time; c-ares asks each server up to `TRIES` times. */
const QUERY_TIMEOUT_MS = 3_000
const TRIES = 2
const MAX_NAMES = 1_000
/** Longer promises of a name server are not believed: sites move. */
const MAX_TTL_S = 300

interface CachedName {
  readonly addresses: readonly string[]
  readonly until: number
}

/**
 * Finds addresses of names, asking by the device's own source address, so that no query leaves by another interface.
 * IPv4 only: an IPv6 exit is another address to the site.
 */
export class DeviceResolver {
  readonly #servers: () => readonly string[]
  readonly #now: () => number
  readonly #cache = new Map<string, CachedName>()
  #resolver: { source: string; dns: Resolver } | null = null

  /** `servers`: addresses of name servers, asked for anew behind each address of the device; the system's when empty. */
  constructor(servers: () => readonly string[], now: () => number) {
    this.#servers = servers
    this.#now = now
  }

  /** Addresses of a name, in the name server's order. Throws Node's DNS errors (`ENOTFOUND`, `ETIMEOUT` ...). */
  async resolve(host: string, source: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host]
    // RFC 6761: never asked of a name server.
    if (host === 'localhost' || host.endsWith('.localhost')) return ['127.0.0.1']
    const cached = this.#cache.get(host)
    if (cached && cached.until > this.#now()) return cached.addresses
    const answers = await this.#by(source).resolve4(host, { ttl: true })
    const addresses = answers.map(({ address }) => address)
    const ttl = Math.min(MAX_TTL_S, ...answers.map((answer) => answer.ttl))
    this.#remember(host, { addresses, until: this.#now() + ttl * 1_000 })
    return addresses
  }

  /** Forgets everything: behind a new address sites may have others for us, and queries under way would hang. */
  flush(): void {
    this.#cache.clear()
    this.#resolver?.dns.cancel()
    this.#resolver = null
  }

  #by(source: string): Resolver {
    if (this.#resolver?.source !== source) {
      this.#resolver?.dns.cancel()
      const dns = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: TRIES })
      const servers = this.#servers()
      if (servers.length > 0) dns.setServers(servers)
      dns.setLocalAddress(source)
      this.#resolver = { source, dns }
    }
    return this.#resolver.dns
  }

  #remember(host: string, name: CachedName): void {
    const oldest = this.#cache.keys().next()
    if (this.#cache.size >= MAX_NAMES && !oldest.done) this.#cache.delete(oldest.value)
    this.#cache.delete(host)
    this.#cache.set(host, name)
  }
}
