import { FORMERR, NODATA, NOTFOUND, NOTIMP, REFUSED, type RecordWithTtl, SERVFAIL } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import { isIP, isIPv4 } from 'node:net'

/** One query's time; c-ares asks each server up to `TRIES` times. */
const QUERY_TIMEOUT_MS = 3_000
const TRIES = 2
const MAX_NAMES = 1_000
/** Longer promises of a name server are not believed: sites move. */
const MAX_TTL_S = 300

/** Asked for only to see whether somebody answers: a name that every name server knows. */
const ANY_NAME = 'a.root-servers.net'
/** Errors that a name server has said, as opposed to those of nobody answering. */
const answers: ReadonlySet<string> = new Set([NOTFOUND, NODATA, SERVFAIL, REFUSED, NOTIMP, FORMERR])

const UNSPECIFIED_4 = '0.0.0.0'
const UNSPECIFIED_6 = '::'

interface CachedName {
  readonly addresses: readonly string[]
  readonly until: number
}

/** The device's own addresses; null: it has none, or it is not to be used. */
export interface Sources {
  readonly v4: string | null
  readonly v6: string | null
}

/**
 * Finds addresses of names, asking by the device's own source addresses, so that no query leaves by another interface. IPv6 addresses are
 * looked for only where there is an IPv6 source, and the name or the device has no IPv4 address: to a site, IPv6 is another exit IP.
 */
export class DeviceResolver {
  readonly #servers: () => readonly string[]
  readonly #now: () => number
  readonly #cache = new Map<string, CachedName>()
  #resolver: { sources: string; dns: Resolver } | null = null

  /** `servers`: addresses of name servers, asked for anew behind each address of the device; the system's when empty. */
  constructor(servers: () => readonly string[], now: () => number) {
    this.#servers = servers
    this.#now = now
  }

  /** Addresses of a name, in the name server's order. Throws Node's DNS errors (`ENOTFOUND`, `ETIMEOUT` ...). */
  async resolve(host: string, sources: Sources): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host]
    // RFC 6761: never asked of a name server.
    if (host === 'localhost' || host.endsWith('.localhost')) return ['127.0.0.1']
    const key = `${keyOf(sources)} ${host}`
    const cached = this.#cache.get(key)
    if (cached && cached.until > this.#now()) return cached.addresses
    const answers = await this.#ask(host, sources)
    const addresses = answers.map(({ address }) => address)
    const ttl = Math.min(MAX_TTL_S, ...answers.map((answer) => answer.ttl))
    this.#remember(key, { addresses, until: this.#now() + ttl * 1_000 })
    return addresses
  }

  /** Whether a name server answers, whatever it says. */
  async isAnswered(sources: Sources): Promise<boolean> {
    try {
      await this.#by(sources).resolve4(ANY_NAME)
      return true
    } catch (error) {
      return answers.has((error as NodeJS.ErrnoException).code ?? '')
    }
  }

  /** Forgets everything: behind a new address sites may have others for us, and queries under way would hang. */
  flush(): void {
    this.#cache.clear()
    this.#resolver?.dns.cancel()
    this.#resolver = null
  }

  async #ask(host: string, sources: Sources): Promise<RecordWithTtl[]> {
    const dns = this.#by(sources)
    if (sources.v4 === null) return dns.resolve6(host, { ttl: true })
    try {
      return await dns.resolve4(host, { ttl: true })
    } catch (error) {
      if (sources.v6 === null || (error as NodeJS.ErrnoException).code !== 'ENODATA') throw error
      return dns.resolve6(host, { ttl: true })
    }
  }

  #by(sources: Sources): Resolver {
    const key = keyOf(sources)
    if (this.#resolver?.sources !== key) {
      this.#resolver?.dns.cancel()
      const dns = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: TRIES })
      const servers = this.#servers()
      // One of a version without a source would be asked by the host's own way.
      const usable = servers.filter((server) => (isVersion4(server) ? sources.v4 : sources.v6) !== null)
      if (servers.length > 0 && usable.length === 0)
        throw Object.assign(new Error('no name server'), { code: 'ECONNREFUSED', syscall: 'query' })
      if (usable.length > 0) dns.setServers(usable)
      dns.setLocalAddress(sources.v4 ?? UNSPECIFIED_4, sources.v6 ?? UNSPECIFIED_6)
      this.#resolver = { sources: key, dns }
    }
    return this.#resolver.dns
  }

  #remember(key: string, name: CachedName): void {
    const oldest = this.#cache.keys().next()
    if (this.#cache.size >= MAX_NAMES && !oldest.done) this.#cache.delete(oldest.value)
    this.#cache.delete(key)
    this.#cache.set(key, name)
  }
}

const keyOf = ({ v4, v6 }: Sources): string => `${v4 ?? '-'} ${v6 ?? '-'}`

/** Of a name server: an address, with a port or without. */
const isVersion4 = (server: string): boolean => isIPv4(server.replace(/:\d+$/, ''))
