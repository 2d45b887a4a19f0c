export type { BanRule, Pattern } from './bans/ban-rule.ts'
export type { PresetName } from './bans/presets/names.ts'
export type { ReportedResponse, ReportTarget, ReportVerdict } from './bans/report-target.ts'
export type { CachedResponse, CacheKey, CacheStore, CacheValue } from './cache/cache-store.ts'
export type { CacheCounts } from './cache/response-cache.ts'
export type { Lease } from './clients/lease.ts'
export type { LeaseOptions } from './clients/lease-options.ts'
export type { ListenOptions } from './clients/listen/listen-options.ts'
export type { LocalProxy } from './clients/listen/local-proxies.ts'
export type { MapItems, MapOptions, MapTools, MapWork, PoolMap } from './clients/map.ts'
export type { PoolFetch } from './clients/pool-fetch.ts'
export type { PlaywrightProxy, ProxyForms, PuppeteerProxy } from './clients/proxy-forms.ts'
export type { SessionOptions, ViewOptions } from './clients/view-options.ts'
export type { BalancerCandidates, BalancerDevice, CustomBalancer } from './core/balancers/custom.ts'
export type { BalancerName } from './core/balancers/names.ts'
export type { DeviceState } from './core/device.ts'
export type { ReportResult } from './dispatch/ban-reports.ts'
export type { HashKeyOf, HashKeyRequest } from './dispatch/hash-key.ts'
export { type AttemptKind, type AttemptReport, MobilePoolError, type MobilePoolErrorCode, type Phase } from './errors.ts'
export type { DeviceRef, PoolEvents, RotationResult } from './events.ts'
export { MobilePool } from './mobile-pool.ts'
export type {
  BanOptions,
  CacheOptions,
  EjectOptions,
  FilterOptions,
  HedgeOptions,
  HubOptions,
  MobilePoolOptions,
  PerDeviceOptions,
  RetryOptions,
  RotateOptions,
  StaticDevice,
  SuccessRateOptions,
  UsageOptions,
} from './options/pool-options.ts'
export type { FetchDispatcher, MobilePoolApi, MobilePoolSession, MobilePoolView, PoolClient, SessionApi } from './pool-api.ts'
export type { RotateDeviceOptions } from './rotation/rotate-options.ts'
export type { RotationContext } from './rotation/rotation-call.ts'
export type { RotationTally } from './rotation/rotations.ts'
export type { RedisClient, RedisOptions } from './shared/redis-client.ts'
export type { UsageStats } from './sources/hub/usage-reports.ts'
export type { DeviceStats, PoolStats } from './stats.ts'
export type { AttemptRecord, ChannelMessages, RequestRecord } from './telemetry/channels.ts'
export type { MeterReading, OutcomeCounts } from './telemetry/meters.ts'
export type { PoolLogger } from './telemetry/pool-log.ts'
