import { type LeasingPool, type SessionLeaseOptions, SessionLeases } from './session-leases.ts'

/** What Crawlee hands to crawlers of a proxy. */
export interface CrawleeProxyInfo {
  readonly sessionId?: string
  readonly url: string
  readonly hostname: string
  readonly port: string
  readonly username: string
  readonly password: string
}

/** The part of Crawlee's `Session` by which a retired one is known. */
interface CrawleeSession {
  readonly id: string
}

/** The part of Crawlee's `SessionPool` that says when sessions end. */
export interface CrawleeSessionPool {
  on(event: 'sessionRetired', listener: (session: CrawleeSession) => void): unknown
}

/** A pool for Crawlee's crawlers. */
export interface CrawleeProxy {
  /** For Crawlee 3: `new ProxyConfiguration({ newUrlFunction: proxy.newUrlFunction })`. */
  readonly newUrlFunction: (sessionId: string | number) => Promise<string>
  /** For Crawlee 4, whose crawlers take any object with this as `proxyConfiguration`. */
  readonly newProxyInfo: (options?: { readonly session?: CrawleeSession } | string | number) => Promise<CrawleeProxyInfo>
  /** Gives leases back when Crawlee retires their sessions, e.g. because a site blocked them. */
  follow(sessions: CrawleeSessionPool): void
  /** Gives a session's lease back now. */
  retire(sessionId: string | number): Promise<void>
  /** Sessions that hold a lease. */
  readonly size: number
  /** Gives all leases back. Call it when the crawl is over. */
  close(): Promise<void>
}

/** Where Crawlee names no session, all requests share this one. */
const NO_SESSION = 'default'

/**
 * Lends the pool's devices to Crawlee: each Crawlee session has one device for as long as it lives, so that cookies and address stay
 * together; a session that is retired, unused for `ttlMs`, or one too many gives its lease back.
 */
export function crawleeProxy(pool: LeasingPool, options: SessionLeaseOptions = {}): CrawleeProxy {
  const leases = new SessionLeases(pool, options)
  const urlOf = (sessionId: string | number | undefined): Promise<string> => leases.proxyUrl(keyOf(sessionId))
  return {
    newUrlFunction: urlOf,
    async newProxyInfo(given) {
      const sessionId = typeof given === 'object' ? given.session?.id : given
      const url = await urlOf(sessionId)
      const { hostname, port, protocol, username, password } = new URL(url)
      return {
        ...(sessionId === undefined ? {} : { sessionId: String(sessionId) }),
        url,
        hostname,
        port: port === '' ? (protocol === 'https:' ? '443' : '80') : port,
        username: decodeURIComponent(username),
        password: decodeURIComponent(password),
      }
    },
    follow(sessions) {
      sessions.on('sessionRetired', ({ id }) => void leases.retire(keyOf(id)))
    },
    retire: (sessionId) => leases.retire(keyOf(sessionId)),
    get size() {
      return leases.size
    },
    close: () => leases.close(),
  }
}

const keyOf = (sessionId: string | number | undefined): string => `crawlee-${sessionId ?? NO_SESSION}`
