import type { Agent as HttpAgent } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import type { ReportTarget, ReportVerdict } from './bans/report-target.ts'
import type { Lease } from './clients/lease.ts'
import type { LeaseOptions } from './clients/lease-options.ts'
import type { ListenOptions } from './clients/listen/listen-options.ts'
import type { LocalProxy } from './clients/listen/local-proxies.ts'
import type { PoolMap } from './clients/map.ts'
import type { PoolFetch } from './clients/pool-fetch.ts'
import type { SessionOptions, ViewOptions } from './clients/view-options.ts'
import type { ReportResult } from './dispatch/ban-reports.ts'
import type { DeviceRef, PoolEvents, RotationResult } from './events.ts'
import type { MobilePoolOptions } from './options/pool-options.ts'
import type { RotateDeviceOptions } from './rotation/rotate-options.ts'
import type { PoolStats } from './stats.ts'

/**
 * The dispatcher type of whatever `fetch` your `@types/node` declares (undici-types 6, 7 or 8), so that `fetch(url, { dispatcher: pool })`
 * type-checks under all of them. With `lib: dom`, whose `fetch` knows no dispatcher, it is `unknown`: use `pool.fetch`.
 */
export type FetchDispatcher = NonNullable<Parameters<typeof fetch>[1]> extends { dispatcher?: infer D } ? NonNullable<D> : unknown

/** What the pool and its views have in common besides being dispatchers. */
export interface PoolClient {
  /** The same, typed to fit the `dispatcher` option of npm undici 6, 7 and 8. */
  // biome-ignore lint/suspicious/noExplicitAny: each undici major has its own Dispatcher type, and this has to fit them all
  readonly dispatcher: any

  /**
   * Built-in `fetch`. All redirect hops of one call use one device, as far as that can serve them. `view` asks something of this call
   * alone. Throws `MobilePoolError` itself, not wrapped in `TypeError: fetch failed`.
   */
  readonly fetch: PoolFetch

  /**
   * Works on many items, `concurrency` (10) at a time, and gives the results in the items' order. `items` may be endless or async: one is
   * pulled when there is room, and one waits at most. `work` gets the item and `{ fetch, signal, index }`: this client's `fetch`, wired
   * to the map's signal.
   *
   * The first error ends it: no item is begun any more, `signal` aborts those under way, and when they are all over `map` rejects with that
   * error. With `stopOnError: false` the others go on, and the results are `{ status: 'fulfilled', value }` or `{ status: 'rejected', reason }`.
   * An abort of the caller's `signal` ends it the same way, with its reason. Throws `MP_OPTIONS`.
   */
  readonly map: PoolMap

  /**
   * An agent of Node for http: URLs, for got, axios, node-fetch, `ws` and `node:http`: a device for each request, keep-alive, and another
   * device when the first one cannot be reached. It does not repeat what was sent: the client's own retries ask for a device again.
   * What the view or session asks, and a `pool.run` around the request, holds for its requests too. Connections are the agent's own: keep a
   * view for as long as you use its agents, rather than make one for each request. `destroy()` closes them and nothing else.
   * Errors are `MobilePoolError`. Response statuses are not looked at: `dispatcher` and `fetch` know bans, agents do not.
   */
  readonly httpAgent: HttpAgent

  /** The same for https: URLs, through CONNECT or SOCKS. TLS options of the request (`ca`, `rejectUnauthorized`, ...) hold. */
  readonly httpsAgent: HttpsAgent

  /**
   * A part of the pool: a dispatcher whose requests ask this of it. Views of views narrow: devices must suit all of them, of everything
   * else the last word counts. It has no sockets of its own; closing it closes nothing. Throws `MP_OPTIONS`.
   */
  with(view: ViewOptions): MobilePoolView
}

/** A part of the pool, as a dispatcher. */
export type MobilePoolView = PoolClient & FetchDispatcher

/** What `pool.session()` gives besides being a dispatcher. */
export interface SessionApi extends PoolClient, AsyncDisposable {
  /** The key that it was asked for by. */
  readonly key: string
  /** The device that it is on; null before its first request and after its end. */
  readonly device: DeviceRef | null
  /** That device's exit IP; null: not known. */
  readonly exitIp: string | null
  /** Forgets device and exit IP: the next request begins anew, on any device. */
  renew(): void
  /** Ends it: with `rotate.onSessionEnd` its device rotates. Requests under way go on; the next one under the key begins a new session. */
  end(): void
}

/** A sticky session, as a dispatcher. */
export type MobilePoolSession = SessionApi & FetchDispatcher

/** What a pool offers besides being a dispatcher. */
export interface MobilePoolApi extends PoolClient, AsyncDisposable {
  /**
   * Requests that belong together, by a key of yours (`account-42`): they use one device. A key means the same session everywhere in the
   * pool. It ends with `end()`, after `ttlMs` (30 minutes) without a request, or when 10,000 others were used since. Cookies are yours.
   *
   * `onIpChange` decides what an IP change does. `follow`: it stays with its device and goes to another only when that is offline,
   * ejected, gone, or fails a request. `move`: it goes to another device also when the IP has changed, is about to, or is banned.
   * `fail`: when the IP is gone, requests without an answer fail with `MP_SESSION_IP_CHANGED`, and later ones too, until `renew()`.
   * Throws `MP_OPTIONS`.
   */
  session(key: string, options?: SessionOptions & Omit<ViewOptions, 'session'>): MobilePoolSession

  /**
   * Sets a device aside for one job: `await using lease = await pool.lease({ filter: { operator: 'MTS' } })`. Waits for a device in the
   * order of requests, and then holds none of its places, so that a lease in nobody's use costs nothing. Release it when the job is done.
   * With `rotate.onSessionEnd` the device rotates when its last lease is released.
   *
   * Rejects with `MP_OPTIONS`, as a request that gets no device does (`MP_NO_DEVICE`, `MP_QUEUE_TIMEOUT`, ...), or with the reason of
   * `signal`.
   */
  lease(options?: LeaseOptions): Promise<Lease>

  /**
   * Every request that is begun inside `work`, by any client of this pool, asks this of it: across awaits and redirects. Nested calls
   * narrow. Returns what `work` returns.
   */
  run<T>(view: ViewOptions, work: () => T): T

  /**
   * Starts a proxy on this machine for programs that take a proxy URL: browsers, curl, other languages. Plain http goes the way of
   * `fetch`, with retries and bans; https is a tunnel, which goes to another device while no connection stands, and no more after that.
   * On loopback and with a random password unless told otherwise. The user `<username>-session-<id>` stays on one device, as
   * `session(id)` does. Throws `MP_OPTIONS`, `MP_LISTEN` when the address cannot be had, `MP_CLOSED`.
   */
  listen(options?: ListenOptions): Promise<LocalProxy>

  /**
   * Gives a device a new exit IP. Resolves when the rotation is over, with what it came to: see `outcome`.
   * Throws `MobilePoolError` when it cannot begin: `MP_UNKNOWN_DEVICE`, `MP_ROTATION_UNSUPPORTED`, `MP_ROTATION_TOO_SOON`
   * (with `retryAfterMs`), `MP_HUB_UNREACHABLE`, `MP_HUB_REFUSED`; `MP_OPTIONS` for a `unique` that makes no sense. One rotation at a
   * time a device: a second call joins the first.
   */
  rotate(idOrName: string, options?: RotateDeviceOptions): Promise<RotationResult>

  /**
   * Tells what only the parser can know: `{ banned: true }`, the page was a ban though no rule told; `{ ok: true }`, it was none.
   *
   * `target`: the response (of `fetch`, undici, got, axios: whatever still has the pool's `x-mobilepool-*` headers), or a device by id or
   * name, or `{ deviceId, exitIp }`. A ban counts like an answer that is one: for the exit IP that served the response, even when the
   * device has another by now; for `rotate.onBan`; once a response. `site`, a host name or URL, is needed where the target does not tell it;
   * `reason` is what events call it. The page itself is not fetched again: do that yourself.
   *
   * Throws `MP_OPTIONS` when the report makes no sense, `MP_UNKNOWN_DEVICE` when neither device nor exit IP is known.
   */
  report(target: ReportTarget, verdict: ReportVerdict): ReportResult

  /** Where pool and devices stand now, and what they did since the pool began. */
  stats(): PoolStats

  /** Sends every `fetch` of the process, and npm undici's, through the pool; disposing of the result undoes it. */
  installGlobal(): Disposable

  /**
   * Takes no new requests, waits for those under way (at most `timeoutMs`, 30,000 when left out), and leaves no socket or timer behind.
   */
  close(options?: { timeoutMs?: number }): Promise<void>

  /** Ends everything now; requests under way fail with this error, or with `MP_CLOSED`. */
  destroy(error?: Error): Promise<void>

  /** Calls `listener` at each event of the name; an exception of a listener is the process's, as with Node's `EventEmitter`. */
  on<Name extends keyof PoolEvents>(name: Name, listener: (...event: PoolEvents[Name]) => void): this
  /** Calls `listener` at the next event of the name only. */
  once<Name extends keyof PoolEvents>(name: Name, listener: (...event: PoolEvents[Name]) => void): this
  /** Undoes `on` or `once`. */
  off<Name extends keyof PoolEvents>(name: Name, listener: (...event: PoolEvents[Name]) => void): this
}

/** A pool: give it as `dispatcher` to `fetch`. */
export type MobilePool = MobilePoolApi & FetchDispatcher

export interface MobilePoolConstructor {
  /** Begins at once; requests wait until the hub has told its devices. Throws `MP_OPTIONS` when an option is wrong. */
  new (options: MobilePoolOptions): MobilePool
}
