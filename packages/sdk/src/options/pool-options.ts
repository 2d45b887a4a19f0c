import type { ConnectionOptions } from 'node:tls'
import type { BanRule, Pattern } from '../bans/ban-rule.ts'
import type { PresetName } from '../bans/presets/names.ts'
import type { CacheStore } from '../cache/cache-store.ts'
import type { DeviceType } from '../contract/index.ts'
import type { CustomBalancer } from '../core/balancers/custom.ts'
import type { BalancerName } from '../core/balancers/names.ts'
import type { HashKeyOf } from '../dispatch/hash-key.ts'
import type { RotationContext } from '../rotation/rotation-call.ts'
import type { RedisClient, RedisOptions } from '../shared/redis-client.ts'
import type { PoolLogger } from '../telemetry/pool-log.ts'

/** One device of a fixed list. */
export interface StaticDevice {
  /** What events, errors and `pool.rotate` call it. @default host and port of its URL */
  id?: string
  /** Its proxy: `http://user:password@10.0.0.5:8080`, or https://, socks5://, socks5h:// (the same: names are resolved by the device). */
  url: string | URL
  /** Share of the traffic relative to the others. Above 0, up to 1000. @default 1 */
  weight?: number
  /** Requests in flight on this device. 1 to 10000. @default `perDevice.concurrency` */
  concurrency?: number
  /** Requests that this device begins a minute. At least 1/60. @default `perDevice.requestsPerMinute` */
  requestsPerMinute?: number
  /** What filters and views choose by. @default none */
  tags?: readonly string[]
  /** Mobile operator, e.g. `MTS`. @default not known */
  operator?: string
  /** Where it is, e.g. `Omsk`. @default not known */
  region?: string
  /** What kind of device it is. @default 'generic' */
  type?: DeviceType
  /** `auto`: absolute form for http:, CONNECT for https: and WebSocket. `always`: CONNECT for everything. @default 'auto' */
  tunnel?: 'auto' | 'always'
  /**
   * Changes its exit IP: a URL that is fetched with GET, or a function. The function may return the new exit IP, if it knows it;
   * otherwise `exitIpUrl` is what tells whether the IP changed.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is the common case
  rotate?: string | URL | ((context: RotationContext) => Promise<string | void>)
}

/** A hub. */
export interface HubOptions {
  /** Where it listens, e.g. `http://hub:3001`. */
  url: string | URL
  /** An API key of the hub. May stand in the URL instead, as its password: `http://:KEY@hub:3001`. */
  token?: string
  /**
   * Tells the hub's other pools which exit IPs which sites have banned, where another exit IP has confirmed it, and learns theirs.
   * @default true
   */
  shareBans?: boolean
}

/** Which of the hub's devices, or of the list's, to use. Everything given must match; upper and lower case count alike. */
export interface FilterOptions {
  /** Mobile operator, or several of which one must be the device's. */
  operator?: string | readonly string[]
  /** Region as the device's owner wrote it, or several. */
  region?: string | readonly string[]
  /** Kind of device, or several. */
  type?: DeviceType | readonly DeviceType[]
  /** All of them must be on the device. */
  tags?: readonly string[]
}

/** What is tried again on another device, and how often. */
export interface RetryOptions {
  /** Attempts a request, the first included. 1 to 20. @default 3 */
  attempts?: number
  /**
   * What may be sent again after it was sent once. `idempotent`: GET, HEAD, OPTIONS, PUT, DELETE, TRACE, QUERY, and requests with an
   * `Idempotency-Key` header. `all`: every method. What was never sent is repeated for every method. @default 'idempotent'
   */
  methods?: 'idempotent' | 'all'
  /** Statuses for which another device is tried, besides those of `ban`. @default [502, 503, 504] */
  statuses?: readonly number[]
  /** Retries as a share of all requests, so that an outage does not multiply the traffic; ten are in reserve. 0 to 1; 0: none. @default 0.2 */
  budget?: number
  /** No further attempt begins after this time. @default 60000 */
  maxElapsedMs?: number
  /** Bodies up to this size are kept in memory so that they can be sent again: `fetch` hides even strings in a stream. @default 1048576 */
  maxReplayBytes?: number
}

/** What tells that an exit IP is banned at a site, and what follows from it. */
export interface BanOptions {
  /** Statuses that mean that the exit IP is banned at the site. @default [403, 429] */
  statuses?: readonly number[]
  /** Headers that mean a ban, by name; one that matches is enough. `{ 'x-block': /^/ }` asks only for its presence. @default none */
  headers?: Readonly<Record<string, Pattern>>
  /** Where a redirect leads that means a ban, as the `Location` header has it, e.g. `/\/captcha\b/`. @default none */
  location?: Pattern | readonly Pattern[]
  /**
   * What the beginning of a body holds that means a ban, whatever the status: text in any case, or a RegExp. Head and beginning of the
   * responses that `inspect` names are held back until that is tested; the rest streams on untouched. @default none
   */
  body?: Pattern | readonly Pattern[]
  /** Rules for common walls, or `all` of them. @default none */
  presets?: 'all' | readonly PresetName[]
  /** Rules of your own, each with several conditions that must all hold. @default none */
  rules?: readonly BanRule[]
  /** Which bodies are looked at, and how much of them. Only where a body rule could apply. */
  inspect?: {
    /** From the wire, before decoding. 1 to 65536. @default 4096 */
    bytes?: number
    /** A body that comes slower than this is looked at as far as it has come. @default 1000 */
    maxWaitMs?: number
    /** Media types, `text/*` for all of a kind. A response without `Content-Type` is looked at too. @default html, xhtml, plain text, JSON */
    contentTypes?: readonly string[]
  }
  /**
   * How long a banned exit IP is not used for the site. `Retry-After` in the answer goes first. A ban that no other exit IP has
   * confirmed lasts a sixtieth of it, a tenth when it repeats, then all of it. @default 600000
   */
  quarantineMs?: number
}

/** A second connection through another device when the first is slow to stand. Nothing is sent twice. */
export interface HedgeOptions {
  /**
   * How long a connection through a device may take before a second device is asked for one as well; the request goes where the first
   * one stands. `auto`: the 95th percentile of the fleet's last 128 connections, at least 250 and at most half of `timeouts.connectMs`;
   * 1000 until 20 are known. @default 'auto'
   */
  delayMs?: number | 'auto'
  /** Second connections as a share of all requests; ten are in reserve. 0 to 1; 0: none. @default 0.05 */
  budget?: number
}

/**
 * A cached answer costs no device, no permit and no data volume. It has `x-mobilepool-device` and `-ip` of the device that fetched it and
 * `x-mobilepool-attempts: 0`; `age` tells how old it is. A stale one with an ETag or a date is asked for again, through a device.
 *
 * Never cached, never answered from the cache: sessions and leases; views with `filter`, `devices`, `exclude`, `hashKey`, `ban: false` or
 * `cache: false`; requests with `Range`; and, unless `type` is `private`, with `Authorization` or `Cookie`. Bans, failures (5xx) and
 * errors of devices are never cached, and what `pool.report` calls a ban is forgotten. The agents and `pool.listen()` have no cache.
 */
export interface CacheOptions {
  /** Where answers are kept: a cache store of npm undici (`cacheStores.SqliteCacheStore`), or your own. @default memory, of this pool alone */
  store?: CacheStore
  /** What is cached. POST and other methods that change something make the pool forget the answers of their URL. @default ['GET'] */
  methods?: readonly ('GET' | 'HEAD' | 'OPTIONS' | 'TRACE')[]
  /** How long answers count as fresh that do not say it themselves. @default they are not cached */
  cacheByDefaultMs?: number
  /** `private`: the whole pool is one user: answers to and with cookies are cached too, and `Cache-Control: private`. @default 'shared' */
  type?: 'shared' | 'private'
  /** In memory. 1 to 1000000. @default 1024 */
  maxEntries?: number
  /** In memory, bodies and headers together; what was not used for longest goes. 1 to 17179869184. @default 67108864 */
  maxBytes?: number
  /** In memory: a longer answer is not cached. 1 to 1073741824. @default 5242880 */
  maxEntryBytes?: number
}

/** When a device is taken out because of its own failures. It comes back by a probe: one request that is let through. */
export interface EjectOptions {
  /** Failures of a device in a row, without a complete response between, that take it out. @default 3 */
  consecutive?: number
  /** For how long the first time; it doubles each time. @default 10000 */
  baseMs?: number
  /** The longest that a device is out before it is tried again. @default 300000 */
  maxMs?: number
  /** Share of the devices that are up that may be out at the same time, at most. 0 to 1. @default 0.5 */
  maxShare?: number
  /** Takes devices out that fail far more often than the others, though never many times in a row. False: they stay. */
  successRate?: false | SuccessRateOptions
}

/** A device whose success rate is below the mean of the others by so many standard deviations, and by a tenth at least, is taken out. */
export interface SuccessRateOptions {
  /** 0 to 10. @default 1.9 */
  stdevFactor?: number
  /** Devices with enough requests that there must be. 2 to 10000. @default 5 */
  minDevices?: number
  /** Requests that a device must have had in an interval to be compared. 1 to 1000000. @default 100 */
  minRequests?: number
  /** How often devices are compared. At least 1000. @default 60000 */
  intervalMs?: number
}

/** When devices get another exit IP, and how. */
export interface RotateOptions {
  /** Rotates every device so often, give or take a tenth. At least 1000. @default never */
  everyMs?: number
  /** Rotates a device when so many attempts have reached a site through its exit IP since its last rotation. @default never */
  afterRequests?: number
  /**
   * Rotates a device when so many requests met a ban at its exit IP, or when no device is left for a site. A request counts once,
   * however often it was tried there. Where no device is left, a request waits for a rotation that may begin within half of
   * `queue.timeoutMs`. @default never
   */
  onBan?: {
    /** @default 3 */
    count?: number
  }
  /** Rotates a device when a session on it ends, so that the next one begins with another exit IP. @default false */
  onSessionEnd?: boolean
  /**
   * `30m`, `24h`, `7d`: rotations that this pool asks for go on, within the hub's attempts, while the new exit IP is one that the fleet
   * had within this time. Needs a `hub`. @default what the hub has for the device
   */
  unique?: string
  /** How long requests in flight may take to finish before a rotation. @default 15000 */
  drainMs?: number
  /** Between two rotations of a device because of requests, bans or sessions, at least. @default 30000 */
  minIntervalMs?: number
  /**
   * One hostile site cannot keep the fleet rotating: with `n` devices up, its bans cause at most
   * `max(1, floor(maxShare * n)) + T / minSiteIntervalMs` rotations in any stretch of time `T`. 0: no bound. @default 60000
   */
  minSiteIntervalMs?: number
  /** Rotations that the pool's triggers ask for at the same time, at most. @default 4 */
  maxParallel?: number
  /** The same as a share of the devices that are up; one always may. Above 0, up to 1. @default 0.25 */
  maxShare?: number
  /** How long a rotation URL or function of a listed device may take. @default 90000 */
  callTimeoutMs?: number
  /** How long to look for a new exit IP of a listed device afterwards. @default 30000 */
  verifyMs?: number
}

/** Limits of each device. */
export interface PerDeviceOptions {
  /** Requests in flight on one device. 1 to 10000. @default 10 */
  concurrency?: number
  /**
   * Requests that one device begins a minute, evenly spaced; retries count as well. Requests over it wait in the queue, or go to another
   * device. At least 1/60. @default no limit
   */
  requestsPerMinute?: number
  /**
   * How many of the minute's requests may begin at once after a pause. In any one minute a device begins at most
   * `requestsPerMinute + burst - 1`. 1 to 10000. @default 1
   */
  burst?: number
  /** Requests in flight on one device to one site (registrable domain). 1 to 10000. @default no limit of its own */
  concurrentPerSite?: number
}

/** How attempts are reported to the hub. */
export interface UsageOptions {
  /** How long a record waits for others before it is sent; 500 are sent at once. 100 to a week. @default 5000 */
  flushMs?: number
  /** Records kept while the hub is away, some 300 bytes each; what is more is dropped and counted. 1 to 1000000. @default 10000 */
  maxBuffered?: number
  /** What the hub is told of a target: nothing, its host name, or host name and path. Never a query. @default 'host' */
  urls?: 'none' | 'host' | 'path'
}

/** Options of `new MobilePool()`. Either `hub` or `devices` must be given. */
export interface MobilePoolOptions {
  /** A hub that knows the fleet: its URL, or URL and token. */
  hub?: string | URL | HubOptions
  /**
   * Redis, by which pools in several processes share limits per device, sessions and quarantines: a URL, a client of ioredis, or an object.
   * Hedging is off then. @default nothing is shared
   */
  redis?: string | URL | RedisClient | RedisOptions
  /** A fixed list of devices: proxy URLs, or objects. */
  devices?: readonly (string | URL | StaticDevice)[]
  /** Which devices the pool uses at all. @default all of them */
  filter?: FilterOptions
  /**
   * How requests are spread over the devices that are up, have room, and are not quarantined for the target's site.
   *
   * - `least-connections`: to the device with the fewest requests in flight for its weight.
   * - `round-robin`: to every device in turn, whatever its weight.
   * - `random`: to any, each with the same chance.
   * - `weighted`: shares by weight, evenly spread in time.
   * - `ip-hash`: requests with the same key (a view's `hashKey`, the option `hashKey`, else the site) to the same device while it is up and has room.
   * - an object with `pick`, or a function that makes one: your own. See `CustomBalancer`.
   *
   * @default 'least-connections'
   */
  balancer?: BalancerName | CustomBalancer | (() => CustomBalancer)
  /**
   * Which requests belong together for `ip-hash`: those for which this returns the same string. Asked once a request, unless its view
   * has a `hashKey`; null: by site. What it throws fails the request. @default by site
   *
   * `hashKey: ({ path }) => new URLSearchParams(path?.split('?')[1]).get('account')`
   */
  hashKey?: HashKeyOf
  /** Limits of each device, unless the device has its own. */
  perDevice?: PerDeviceOptions
  /** Requests that wait for a free device. First come, first served. */
  queue?: {
    /** How long one waits. @default 60000 */
    timeoutMs?: number
    /** How many may wait. @default 10000 */
    max?: number
  }
  /** How long each part of an attempt may take. What is late before its answer began goes on to another device, as `retry` allows. */
  timeouts?: {
    /** TCP, CONNECT and TLS together. @default 10000 */
    connectMs?: number
    /** From sending the request to the first byte of the response; sending a long body does not count. @default 30000 */
    firstByteMs?: number
    /**
     * Longest silence within a response body; 0: no limit. While the caller does not read it does not count.
     * A request's own `headersTimeout` and `bodyTimeout` go before these two. @default 60000
     */
    bodyMs?: number
  }
  /** False: every request is sent once. */
  retry?: false | RetryOptions
  /** What tells that an exit IP is banned at a site, and for how long it is then left out there. False: no answer means a ban. */
  ban?: false | BanOptions
  /** False: no second device is ever asked while the first one connects. */
  hedge?: false | HedgeOptions
  /** Answers from memory what sites allow to be cached; see `CacheOptions`. True: with the defaults. @default false */
  cache?: boolean | CacheOptions
  /** False: no device is taken out because of its failures. */
  eject?: false | EjectOptions
  /** When devices get another exit IP without being told by `pool.rotate`, and how. */
  rotate?: RotateOptions
  /** An echo that answers with the address it sees (text, or JSON with `ip`): how rotations of listed devices are verified. */
  exitIpUrl?: string | URL
  /** Idle connections, kept for later requests to the same target through the same device. */
  keepAlive?: {
    /** How long an idle connection is kept. @default 30000 */
    idleMs?: number
    /** How long at most, whatever the server says. @default 60000 */
    maxIdleMs?: number
    /** Idle connections of one device, to all targets together; of more the one that is idle longest is closed. 0 to 10000. @default 16 */
    maxIdlePerDevice?: number
  }
  /**
   * Offers HTTP/2 to https: targets, with one request at a time on a connection. Sites see another fingerprint than with HTTP/1.1, each
   * connection costs more memory, and a built-in `fetch` sees no `statusText`. WebSockets stay on HTTP/1.1. @default false
   */
  http2?: boolean
  /**
   * Adds `x-mobilepool-device`, `x-mobilepool-ip`, `x-mobilepool-attempts` and `x-mobilepool-request` to responses; without them
   * `report(response)` does not know which request it is about. @default true
   */
  exposeHeaders?: boolean
  /**
   * With a hub: reports each attempt of a request (device, exit IP, target, method, status, sizes, time, outcome) in batches, for its
   * logs and statistics. False: nothing is reported.
   */
  usage?: false | UsageOptions
  /**
   * Writes what happens to a log: an object with `debug`, `info`, `warn` and `error`, each called as `(fields, message)`. pino's logger
   * fits, and so does `console`. Retries and devices that come and go are `debug`, bans, rotations and returns `info`, ejections, failed
   * rotations and a hub that is away `warn`, a hub that refuses the key `error`. Never holds credentials or paths. @default none
   */
  logger?: PoolLogger
  /** TLS towards targets, as for `tls.connect`. */
  requestTls?: ConnectionOptions
  /** TLS towards https:// proxies, as for `tls.connect`. */
  proxyTls?: ConnectionOptions
}

/** What is not given. */
export const poolDefaults = {
  balancer: 'least-connections',
  perDevice: { concurrency: 10, burst: 1 },
  queue: { timeoutMs: 60_000, max: 10_000 },
  timeouts: { connectMs: 10_000, firstByteMs: 30_000, bodyMs: 60_000 },
  retry: { attempts: 3, methods: 'idempotent', statuses: [502, 503, 504], budget: 0.2, maxElapsedMs: 60_000, maxReplayBytes: 1_048_576 },
  ban: {
    statuses: [403, 429],
    inspect: { bytes: 4096, maxWaitMs: 1_000, contentTypes: ['text/html', 'application/xhtml+xml', 'text/plain', 'application/json'] },
    quarantineMs: 600_000,
  },
  hedge: { delayMs: 'auto', budget: 0.05 },
  cache: { methods: ['GET'], type: 'shared', maxEntries: 1024, maxBytes: 67_108_864, maxEntryBytes: 5_242_880 },
  eject: {
    consecutive: 3,
    baseMs: 10_000,
    maxMs: 300_000,
    maxShare: 0.5,
    successRate: { stdevFactor: 1.9, minDevices: 5, minRequests: 100, intervalMs: 60_000 },
  },
  rotate: {
    onBanCount: 3,
    onSessionEnd: false,
    drainMs: 15_000,
    minIntervalMs: 30_000,
    minSiteIntervalMs: 60_000,
    maxParallel: 4,
    maxShare: 0.25,
    callTimeoutMs: 90_000,
    verifyMs: 30_000,
  },
  keepAlive: { idleMs: 30_000, maxIdleMs: 60_000, maxIdlePerDevice: 16 },
  redis: { prefix: 'mobilepool', timeoutMs: 1_000 },
  http2: false,
  usage: { flushMs: 5_000, maxBuffered: 10_000, urls: 'host' },
  exposeHeaders: true,
} as const
