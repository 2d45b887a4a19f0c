import type { ReportVerdict } from '../bans/report-target.ts'
import type { ReportResult } from '../dispatch/ban-reports.ts'
import { type CrawlOptions, parseCrawlOptions } from './crawl-options.ts'
import { type LeasingPool, SessionLeases } from './session-leases.ts'

/** What Crawlee hands to crawlers of a proxy. */
export interface CrawleeProxyInfo {
  /** Crawlee's session that the proxy is for; left out: it was asked for without one. */
  readonly sessionId?: string
  /** `http://user:password@host:port`. */
  readonly url: string
  /** Host of `url`. */
  readonly hostname: string
  /** Port of `url`, as text. */
  readonly port: string
  /** As it is, not percent-encoded as in `url`. */
  readonly username: string
  /** As it is, not percent-encoded as in `url`. */
  readonly password: string
}

/** The part of Crawlee's `Session` by which one is known; Crawlee 4 keeps its proxy there. */
interface CrawleeSession {
  readonly id: string
  readonly proxyInfo?: { readonly url: string } | undefined
}

/** The part of Crawlee's `SessionPool` that says when sessions end, and ends them. */
export interface CrawleeSessionPool {
  /** Tells of sessions that Crawlee has retired. */
  on(event: 'sessionRetired', listener: (session: CrawleeSession) => void): unknown
  /** A session by its id; undefined: there is none, or it is not usable. */
  getSession(sessionId: string): Promise<{ retire(): unknown } | undefined>
}

/** The part of Crawlee's `Request` that says where it goes. */
interface CrawleeRequest {
  readonly url: string
}

/** What Crawlee tells when it asks for a proxy. */
interface Asked {
  readonly request?: CrawleeRequest | undefined
}

/** A pool for Crawlee's crawlers. */
export interface CrawleeProxy {
  /**
   * For Crawlee 3, which names its session, and for Crawlee 4, which names only the request:
   * `new ProxyConfiguration({ newUrlFunction: proxy.newUrlFunction })`.
   */
  readonly newUrlFunction: (sessionIdOrOptions?: string | number | Asked, options?: Asked) => Promise<string>
  /**
   * For Crawlee 4, whose crawlers take any object with this as `proxyConfiguration`. They ask once a session and keep the answer there:
   * each call without a session id is a lease of its own.
   */
  readonly newProxyInfo: (sessionIdOrOptions?: string | number | Asked, options?: Asked) => Promise<CrawleeProxyInfo>
  /**
   * Keeps leases and sessions together: when Crawlee retires a session, e.g. because a site blocked it, its lease is given back a minute
   * later, when requests under way are over; when a
   * lease is lost because the device rotates or goes, its session is retired, so that no cookies are shown from another exit IP. A request
   * that had begun with such a session fails with `MP_LEASE_LOST`, and Crawlee repeats it with another.
   * The same pool again is nothing; nor is undefined, which crawlers have before they run.
   */
  follow(sessions: CrawleeSessionPool | undefined): void
  /**
   * Tells the pool that what came by this proxy was a ban, or was none: over https it cannot see that itself. `site` where the options of
   * the leases name none. Returns and throws as `pool.report` does.
   */
  report(proxyInfo: { readonly url: string }, verdict: ReportVerdict): ReportResult
  /** Gives a session's lease back now, which cuts what goes through it. */
  retire(sessionId: string | number): Promise<void>
  /** Leases that are held. */
  readonly size: number
  /** Gives all leases back now. Call it when the crawl is over. */
  close(): Promise<void>
}

/**
 * Lends the pool's devices to Crawlee: each Crawlee session has one device and one exit IP for as long as it lives, so that cookies and
 * address stay together. Sessions that are retired, unused for `ttlMs`, or one too many give their lease back. Throws `MP_OPTIONS`.
 */
export function crawleeProxy(pool: LeasingPool, options: CrawlOptions = {}): CrawleeProxy {
  const followed = new Set<CrawleeSessionPool>()
  const leases = new SessionLeases(pool, parseCrawlOptions(options), (session) => {
    for (const sessions of followed) void retireSession(sessions, session)
    return followed.size > 0
  })
  const urlOf = (session: string | null, asked: Asked | undefined): Promise<string> => leases.proxyUrl(session, asked?.request?.url)
  return {
    newUrlFunction: (...given) => urlOf(...askedFor(...given)),
    async newProxyInfo(...given) {
      const [session, asked] = askedFor(...given)
      const url = await urlOf(session, asked)
      const { hostname, port, protocol, username, password } = new URL(url)
      return {
        ...(session === null ? {} : { sessionId: session }),
        url,
        hostname,
        port: port === '' ? (protocol === 'https:' ? '443' : '80') : port,
        username: decodeURIComponent(username),
        password: decodeURIComponent(password),
      }
    },
    follow(sessions) {
      if (sessions === undefined || followed.has(sessions)) return
      followed.add(sessions)
      sessions.on('sessionRetired', ({ id, proxyInfo }) => {
        leases.end(id)
        if (proxyInfo !== undefined) leases.endUrl(proxyInfo.url)
      })
    },
    report: ({ url }, verdict) => leases.report(url, verdict),
    retire: (sessionId) => leases.retire(String(sessionId)),
    get size() {
      return leases.size
    },
    async close() {
      followed.clear()
      await leases.close()
    },
  }
}

/** Crawlee 3 gives a session and then the rest, Crawlee 4 only the rest. */
function askedFor(given?: string | number | Asked, asked?: Asked): [session: string | null, asked: Asked | undefined] {
  if (typeof given === 'object') return [null, given]
  return [given === undefined ? null : String(given), asked]
}

/** A pool of sessions that is over throws, and then there is nothing to retire. */
async function retireSession(sessions: CrawleeSessionPool, id: string): Promise<void> {
  const session = await sessions.getSession(id).catch(() => undefined)
  session?.retire()
}
