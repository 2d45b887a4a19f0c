import type { Agent as HttpAgent } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import type { ReportVerdict } from '../bans/report-target.ts'
import type { ReportResult } from '../dispatch/ban-reports.ts'
import type { RotationResult } from '../events.ts'
import type { PoolFetch } from './pool-fetch.ts'
import type { PlaywrightProxy, ProxyForms, PuppeteerProxy } from './proxy-forms.ts'

/**
 * A device set aside for one job: a browser context, a crawl session, a log-in. Everything that is sent through it, by whichever of its
 * faces, goes through that device and no other. It takes none of the device's places itself, and others may use the device as well.
 */
export interface Lease extends ProxyForms, AsyncDisposable {
  /** The device's id, as events, errors and `pool.rotate` know it. */
  readonly deviceId: string
  /** The device's name. */
  readonly device: string
  /** The exit IP that it is for; with `onIpChange: 'follow'`, and after `rotate()`, the one of now. Null: not known. */
  readonly exitIp: string | null
  /**
   * Aborts when the lease is over, with a `MobilePoolError` as reason:
   *
   * - `MP_LEASE_LOST` when its device goes offline, leaves the pool or is ejected; unless it is to `follow`, also when a rotation of
   *   the device is announced, and when the exit IP has changed. A rotation by `rotate()` of this lease does not.
   * - `MP_LEASE_RELEASED` when it is released.
   * - `MP_CLOSED` when the pool closes.
   *
   * From then on whatever begins fails with that error. Of what is under way, requests that have no answer yet fail too; only before a
   * rotation they may finish, at most for `rotate.drainMs`. A lost lease stays lost: release it, take another.
   */
  readonly signal: AbortSignal
  /**
   * `http://user:password@127.0.0.1:port`, for browsers and whatever takes a proxy URL: see the option `proxy`. Its credentials are this
   * lease's alone and good until its release, which cuts what goes through it; once the lease is lost, it answers 503.
   * With `proxy: false` there is none, and reading it or its other shapes throws `MP_OPTIONS`.
   *
   * Devices that nobody can dial (behind a carrier's NAT, reached by their agent's tunnel) are reached through the hub's gateway, with the
   * pool's `hub.token` as its key; with `proxy: 'direct'` this is then the gateway's URL, key included.
   */
  readonly proxyUrl: string
  /** For `browser.newContext({ proxy: lease.playwright })`. */
  readonly playwright: PlaywrightProxy
  /** For `puppeteer.launch({ args: lease.puppeteer.args })` and `page.authenticate(lease.puppeteer.authenticate)`. */
  readonly puppeteer: PuppeteerProxy
  /** For undici's `request` and the `dispatcher` option of `fetch`: typed to fit npm undici 6, 7 and 8. */
  // biome-ignore lint/suspicious/noExplicitAny: each undici major has its own Dispatcher type, and this has to fit them all
  readonly dispatcher: any
  /** Built-in `fetch` through the device, as `pool.fetch` is. */
  readonly fetch: PoolFetch
  /** An agent of Node for http: URLs, as `pool.httpAgent` is. */
  readonly httpAgent: HttpAgent
  /** The same for https: URLs. */
  readonly httpsAgent: HttpsAgent
  /**
   * Gives its device another exit IP, and the lease goes on with that one; other leases of the device that are for its IP are over.
   * Resolves and throws as `pool.rotate` does; throws what `signal` says once the lease is over.
   */
  rotate(): Promise<RotationResult>
  /** `pool.report` about its device and exit IP. `site` is that of the lease where the verdict names none. */
  report(verdict: ReportVerdict): ReportResult
  /** Gives it back: requests that have no answer yet fail with `MP_LEASE_RELEASED`, as do later ones; connections of its agents and its proxy close. */
  release(): Promise<void>
}
