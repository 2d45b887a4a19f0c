import type { ConnectionOptions } from 'node:tls'
import { z } from 'zod'
import { deviceType, duration, label, proxyUrl } from '../contract/index.ts'
import type { CustomBalancer } from '../core/balancers/custom.ts'
import { balancers } from '../core/balancers/index.ts'
import type { BalancerName } from '../core/balancers/names.ts'
import type { OwnLimits } from '../core/limits.ts'
import type { HashKeyOf } from '../dispatch/hash-key.ts'
import { isRedisClient, type RedisClient } from '../shared/redis-client.ts'
import type { PoolLogger } from '../telemetry/pool-log.ts'
import { banOptions } from './ban-schema.ts'
import { cacheOptions } from './cache-schema.ts'
import { count, ms, status } from './numbers.ts'
import { poolDefaults as defaults, type StaticDevice } from './pool-options.ts'

/** A slower pace is a mistake, such as a rate meant per second. */
const MIN_PER_MINUTE = 1 / 60
const perMinute = z.number().min(MIN_PER_MINUTE, 'must be at least one an hour (1/60)').max(1_000_000, 'must be at most 1000000')
const rates = defaults.eject.successRate
const share = z.number().min(0, 'must be from 0 to 1').max(1, 'must be from 0 to 1')

const asText = z.preprocess((value) => (value instanceof URL ? value.href : value), z.string('must be a URL'))
const httpUrl = asText.pipe(z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })).transform((text) => new URL(text))
const tls = z.custom<ConnectionOptions>((value) => typeof value === 'object' && value !== null, 'must be an object of TLS options')
const isLogger = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (['debug', 'info', 'warn', 'error'] as const).every((level) => typeof (value as Partial<PoolLogger>)[level] === 'function')
/** A list that may be given as its only item. */
export const oneOrMore = <Item extends z.ZodType>(item: Item) =>
  z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(item).min(1, 'is empty: leave it out to allow all'))
/** A URL alone stands for an object with that URL. */
const withUrl = (value: unknown): unknown => (typeof value === 'string' || value instanceof URL ? { url: value } : value)
const isCustomBalancer = (value: unknown): boolean =>
  typeof value === 'function' || (typeof value === 'object' && value !== null && 'pick' in value && typeof value.pick === 'function')
const falseOr = <Options extends z.ZodType>(options: Options) => z.union([z.literal(false), options], 'must be false or an object')

const listedDevice = z.strictObject({
  id: label.optional(),
  url: asText.pipe(proxyUrl),
  weight: z.number().positive('must be above 0').max(1000, 'must be at most 1000').default(1),
  concurrency: count(1, 10_000).optional(),
  requestsPerMinute: perMinute.optional(),
  tags: z.array(label).default([]),
  operator: label.optional(),
  region: label.optional(),
  type: deviceType.default('generic'),
  tunnel: z.enum(['auto', 'always']).default('auto'),
  rotate: z
    .union(
      [z.custom<Exclude<StaticDevice['rotate'], string | URL | undefined>>((value) => typeof value === 'function'), httpUrl],
      'must be a URL or a function',
    )
    .optional(),
})

const redisUrl = asText.pipe(z.url({ protocol: /^rediss?$/, error: 'must be a redis:// or rediss:// URL, or a client of ioredis' }))
const redisOptions = z.strictObject({
  client: z.union([z.custom<RedisClient>(isRedisClient), redisUrl], 'must be a redis:// or rediss:// URL, or a client of ioredis'),
  prefix: z
    .string()
    .regex(/^[\w.:-]{1,100}$/, 'must be 1 to 100 letters, digits, ".", "_", ":" or "-"')
    .default(defaults.redis.prefix),
  timeoutMs: count(10, 60_000).default(defaults.redis.timeoutMs),
})
/** A URL or a client alone stands for an object with it. */
const withClient = (value: unknown): unknown =>
  typeof value === 'string' || value instanceof URL || isRedisClient(value) ? { client: value } : value

/** Attributes that devices must have. */
export const filterOptions = z.strictObject({
  operator: oneOrMore(label).optional(),
  region: oneOrMore(label).optional(),
  type: oneOrMore(deviceType).optional(),
  tags: z.array(label).optional(),
})

/** What `MobilePoolOptions` says, as a schema: checks, and fills in what is not given. */
export const poolOptions = z
  .strictObject({
    hub: z.preprocess(
      withUrl,
      z
        .strictObject(
          { url: httpUrl, token: z.string().min(1, 'is empty').optional(), shareBans: z.boolean().default(true) },
          'must be a URL, or { url, token }',
        )
        .optional(),
    ),
    redis: z.preprocess(withClient, redisOptions).optional(),
    devices: z.array(z.preprocess(withUrl, listedDevice), 'must be a list of proxy URLs or objects').optional(),
    filter: filterOptions.default({}),
    balancer: z
      .union(
        [z.enum(Object.keys(balancers) as BalancerName[]), z.custom<CustomBalancer | (() => CustomBalancer)>(isCustomBalancer)],
        `must be one of: ${Object.keys(balancers).join(', ')}; or an object with a method pick, or a function that returns one`,
      )
      .default(defaults.balancer),
    hashKey: z.custom<HashKeyOf>((value) => typeof value === 'function', 'must be a function').optional(),
    perDevice: z
      .strictObject({
        concurrency: count(1, 10_000).default(defaults.perDevice.concurrency),
        requestsPerMinute: perMinute.optional(),
        burst: count(1, 10_000).default(defaults.perDevice.burst),
        concurrentPerSite: count(1, 10_000).optional(),
      })
      .prefault({}),
    queue: z
      .strictObject({ timeoutMs: ms().default(defaults.queue.timeoutMs), max: count(0, 1_000_000).default(defaults.queue.max) })
      .prefault({}),
    timeouts: z
      .strictObject({
        connectMs: ms().default(defaults.timeouts.connectMs),
        firstByteMs: ms().default(defaults.timeouts.firstByteMs),
        bodyMs: ms(0).default(defaults.timeouts.bodyMs),
      })
      .prefault({}),
    retry: falseOr(
      z.strictObject({
        attempts: count(1, 20).default(defaults.retry.attempts),
        methods: z.enum(['idempotent', 'all']).default(defaults.retry.methods),
        statuses: z.array(status).default([...defaults.retry.statuses]),
        budget: share.default(defaults.retry.budget),
        maxElapsedMs: ms().default(defaults.retry.maxElapsedMs),
        maxReplayBytes: count(0, 1_073_741_824).default(defaults.retry.maxReplayBytes),
      }),
    ).prefault({}),
    ban: falseOr(banOptions).prefault({}),
    hedge: falseOr(
      z.strictObject({
        delayMs: z.union([z.literal('auto'), ms()], "must be 'auto' or milliseconds").default(defaults.hedge.delayMs),
        budget: z.number().min(0, 'must be from 0 to 1').max(1, 'must be from 0 to 1').default(defaults.hedge.budget),
      }),
    ).prefault({}),
    cache: z
      .preprocess((value) => (value === true ? {} : value), z.union([z.literal(false), cacheOptions], 'must be true, false or an object'))
      .default(false),
    eject: falseOr(
      z.strictObject({
        consecutive: count(1, 1000).default(defaults.eject.consecutive),
        baseMs: ms().default(defaults.eject.baseMs),
        maxMs: ms().default(defaults.eject.maxMs),
        maxShare: share.default(defaults.eject.maxShare),
        successRate: falseOr(
          z.strictObject({
            stdevFactor: z.number().min(0, 'must be from 0 to 10').max(10, 'must be from 0 to 10').default(rates.stdevFactor),
            minDevices: count(2, 10_000).default(rates.minDevices),
            minRequests: count(1, 1_000_000).default(rates.minRequests),
            intervalMs: ms(1000).default(rates.intervalMs),
          }),
        ).prefault({}),
      }),
    ).prefault({}),
    rotate: z
      .strictObject({
        everyMs: ms(1000).optional(),
        afterRequests: count(1, 1_000_000_000).optional(),
        onBan: z.strictObject({ count: count(1, 1_000_000).default(defaults.rotate.onBanCount) }).optional(),
        onSessionEnd: z.boolean().default(defaults.rotate.onSessionEnd),
        unique: duration.optional(),
        drainMs: ms(0).default(defaults.rotate.drainMs),
        minIntervalMs: ms(0).default(defaults.rotate.minIntervalMs),
        minSiteIntervalMs: ms(0).default(defaults.rotate.minSiteIntervalMs),
        maxParallel: count(1, 10_000).default(defaults.rotate.maxParallel),
        maxShare: z
          .number()
          .gt(0, 'must be above 0 and at most 1')
          .max(1, 'must be above 0 and at most 1')
          .default(defaults.rotate.maxShare),
        callTimeoutMs: ms().default(defaults.rotate.callTimeoutMs),
        verifyMs: ms(0).default(defaults.rotate.verifyMs),
      })
      .prefault({}),
    exitIpUrl: httpUrl.optional(),
    keepAlive: z
      .strictObject({
        idleMs: ms().default(defaults.keepAlive.idleMs),
        maxIdleMs: ms().default(defaults.keepAlive.maxIdleMs),
        maxIdlePerDevice: count(0, 10_000).default(defaults.keepAlive.maxIdlePerDevice),
      })
      .prefault({}),
    http2: z.boolean('must be true or false').default(defaults.http2),
    exposeHeaders: z.boolean().default(defaults.exposeHeaders),
    usage: falseOr(
      z.strictObject({
        flushMs: ms(100).default(defaults.usage.flushMs),
        maxBuffered: count(1, 1_000_000).default(defaults.usage.maxBuffered),
        urls: z.enum(['none', 'host', 'path'], 'must be none, host or path').default(defaults.usage.urls),
      }),
    ).prefault({}),
    logger: z.custom<PoolLogger>(isLogger, 'must have the methods debug, info, warn and error').optional(),
    requestTls: tls.default({}),
    proxyTls: tls.default({}),
  })
  .superRefine((options, context) => {
    if ((options.hub === undefined) === (options.devices === undefined)) {
      context.addIssue({ code: 'custom', message: 'give either `hub` or `devices`', path: [] })
    }
    if (options.devices !== undefined && options.rotate.unique !== undefined) {
      const message = 'needs a `hub`: only it remembers which exit IPs were seen'
      context.addIssue({ code: 'custom', message, path: ['rotate', 'unique'] })
    }
    const ids = new Set<string>()
    for (const [index, device] of (options.devices ?? []).entries()) {
      const id = idOf(device)
      if (ids.has(id))
        context.addIssue({
          code: 'custom',
          message: `"${id}" is used twice: give each device an id of its own`,
          path: ['devices', index, 'id'],
        })
      ids.add(id)
    }
  })

/** Options, checked and complete. */
export type PoolSettings = z.output<typeof poolOptions> & {
  /** What `perDevice` says itself, without defaults: it goes before what a hub says of a device where it is stricter. */
  readonly asked: OwnLimits
}
export type ListedDevice = NonNullable<PoolSettings['devices']>[number]

/** A listed device's id: its own, or host and port of its URL. Never its credentials. */
export const idOf = ({ id, url }: { id?: string | undefined; url: string }): string => id ?? (URL.canParse(url) ? new URL(url).host : url)
