import { z } from 'zod'
import { deviceType } from './device.ts'
import { deviceFilter } from './device-query.ts'
import { deviceName, deviceRef, ipAddress, label, timestamp } from './names.ts'

/** Longest range of time that statistics are asked for. */
export const STATS_RANGE_MAX_DAYS = 366
/** Longest range in buckets of an hour. */
export const STATS_HOURS_MAX_DAYS = 31

const moment = z.union([z.iso.datetime({ offset: true }), z.iso.date()], {
  error: 'must be an ISO 8601 date or time, like 2026-11-23 or 2026-11-23T04:00:00Z',
})

/** A range of time: the latest `period` (24h when all is left out), or `from` and `to`. */
export const statsRange = {
  /** Up to now. */
  period: z.enum(['1h', '24h', '7d', '30d', '90d']).optional(),
  /** A date is its midnight, UTC. */
  from: moment.optional(),
  /** Exclusive. @default now */
  to: moment.optional(),
}

/** How a range is divided. */
const buckets = {
  /** @default hour for up to three days, day for more */
  bucket: z.enum(['hour', 'day']).optional(),
  /** IANA name of the zone whose days are meant. An hour (UTC) counts for the day in which it begins. */
  time_zone: z.string().max(64).refine(isTimeZone, 'must be an IANA time zone, like UTC, Asia/Seoul or Europe/Moscow').default('UTC'),
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

const limit = z.coerce.number().int().min(1).max(500).default(100)
/** `next` of the page before. */
const after = z.string().min(1).max(400).optional()

/** Query of `GET /api/v1/stats/overview` and `GET /api/v1/admin/devices/{id}/stats`. */
export const statsQuery = z.object({ ...statsRange, ...buckets })

/** What attempts add up to. Rates and times are null where there were none. */
const sums = {
  requests: z.int().nonnegative(),
  /** `answered`. */
  successful: z.int().nonnegative(),
  banned: z.int().nonnegative(),
  /** All else. */
  failed: z.int().nonnegative(),
  success_rate: z.number().min(0).max(1).nullable(),
  avg_ms: z.int().nonnegative().nullable(),
  /** Quantiles of the time until the head of the answer or the failure, from histograms: at most 12.3 % off between 8 ms and 131 s. */
  p50_ms: z.int().nonnegative().nullable(),
  p95_ms: z.int().nonnegative().nullable(),
  p99_ms: z.int().nonnegative().nullable(),
  /** Of requests' bodies. */
  bytes_up: z.int().nonnegative(),
  /** Of answers' bodies. */
  bytes_down: z.int().nonnegative(),
}
const total = z.object(sums)

/** What was looked at: sums are kept by the hour, so `from` is the beginning of an hour. */
const looked = { from: timestamp, to: timestamp }
const divided = {
  ...looked,
  bucket: z.enum(['hour', 'day']),
  time_zone: z.string(),
  total,
  /** All of the range, oldest first, those without requests too. `start` of the first may be in the middle of a day. */
  series: z.array(z.object({ start: timestamp, ...sums })),
}

const rotationSums = z.object({ changed: z.int(), unchanged: z.int(), failed: z.int(), success_rate: z.number().min(0).max(1).nullable() })
/** Exits (IPv4 addresses, /64s of IPv6); repeated are those that were had more than once, by whatever device. */
const ipSums = z.object({ unique: z.int().nonnegative(), repeated: z.int().nonnegative() })

/** Reply of `GET /api/v1/stats/overview`. */
export const statsOverview = z.object({
  ...divided,
  /** Adopted devices, now. */
  devices: z.object({ total: z.int(), online: z.int() }),
  ips: ipSums,
  /** That ended within the range. */
  rotations: rotationSums,
  /** The ten sites with the most requests; `(other)` are those beyond what is told apart. */
  sites: z.array(
    z.object({ site: z.string(), requests: z.int(), successful: z.int(), banned: z.int(), success_rate: z.number().nullable() }),
  ),
})

/** What a SIM has used since the month of its data plan began. */
const dataPlan = z.object({
  since: timestamp,
  used_bytes: z.int().nonnegative(),
  /** Null: it has no cap. */
  cap_bytes: z.int().nullable(),
  percent: z.number().nonnegative().nullable(),
})

/** Reply of `GET /api/v1/admin/devices/{id}/stats`. */
export const deviceStats = z.object({
  device: z.object({ id: z.uuid(), name: deviceName }),
  ...divided,
  ips: ipSums,
  rotations: rotationSums,
  data_plan: dataPlan,
})

const deviceStatsSort = z.enum(['name', 'requests', 'success_rate', 'bytes', 'banned', 'failed'])
/** What `GET /api/v1/stats/devices` can be sorted by. */
export type DeviceStatsSort = z.infer<typeof deviceStatsSort>

/** Query of `GET /api/v1/stats/devices`. */
export const deviceStatsQuery = deviceFilter.extend({
  ...statsRange,
  /** Adds up devices that have this in common, instead. */
  by: z.enum(['device', 'operator', 'region', 'type']).default('device'),
  /** Field to sort by; `-` before it: downwards. Names decide between equals; no requests at all come last. @default name, or -requests of groups */
  sort: z.enum([...deviceStatsSort.options, ...deviceStatsSort.options.map((sort) => `-${sort}` as const)]).optional(),
  limit,
  after,
})

/** Reply of `GET /api/v1/stats/devices`: adopted devices, or groups of them. */
export const deviceStatsList = z.object({
  ...looked,
  /** How many match, on all pages. */
  total: z.int().nonnegative(),
  devices: z.array(
    z.object({
      id: z.uuid(),
      name: deviceName,
      device_type: deviceType,
      operator: label.nullable(),
      region: label.nullable(),
      ...sums,
      data_plan: dataPlan,
    }),
  ),
  /** With `by`: groups, and no devices; `key` is null where it is not known. */
  groups: z.array(z.object({ key: z.string().nullable(), devices: z.int(), ...sums })),
  next: z.string().nullable(),
})

/** Filters of the request log. */
const logFilters = {
  device: deviceRef.optional(),
  site: z.string().min(1).max(255).optional(),
  outcome: z
    .string()
    .regex(/^[a-z][a-z_]{0,39}$/, 'must be a name like banned or tunnel_timeout')
    .optional(),
  status: z.coerce.number().int().min(100).max(599).optional(),
  exit_ip: ipAddress.optional(),
  session: z.string().min(1).max(100).optional(),
}

/** Query of `GET /api/v1/stats/requests`. */
export const requestLogQuery = z.object({ ...statsRange, ...logFilters, limit, after })

/** One attempt of a request through a device, as a pool reported it. */
export const loggedRequest = z.object({
  id: z.uuid(),
  at: timestamp,
  device_id: z.uuid(),
  /** At that time. */
  device: z.string().nullable(),
  exit_ip: ipAddress.nullable(),
  target: z.string().nullable(),
  site: z.string().nullable(),
  method: z.string(),
  status: z.int().nullable(),
  outcome: z.string(),
  error: z.string().nullable(),
  attempt: z.int(),
  session: z.string().nullable(),
  duration_ms: z.int(),
  bytes_up: z.int(),
  bytes_down: z.int(),
  user_agent: z.string().nullable(),
  /** The parser's address. */
  client_ip: ipAddress.nullable(),
})
export type LoggedRequestJson = z.infer<typeof loggedRequest>

/** Reply of `GET /api/v1/stats/requests`: newest first. Who is no admin sees what he reported himself. */
export const requestLog = z.object({ ...looked, requests: z.array(loggedRequest), next: z.string().nullable() })

/** Query of `GET /api/v1/stats/ips`. */
export const ipStatsQuery = z.object({
  ...statsRange,
  device: deviceRef.optional(),
  /** Only exits that were had more than once. */
  repeated: z.stringbool().default(false),
  limit,
  after,
})

/** Reply of `GET /api/v1/stats/ips`: those that were had most often first. */
export const ipStats = z.object({
  ...looked,
  ...ipSums.shape,
  ips: z.array(
    z.object({
      /** An address, or the /64 of an IPv6 one. */
      ip: z.string(),
      /** Stretches of time at it. */
      times: z.int().positive(),
      devices: z.int().positive(),
      first_seen: timestamp,
      last_seen: timestamp,
      total_requests: z.int().nonnegative(),
      times_blocked: z.int().nonnegative(),
    }),
  ),
  next: z.string().nullable(),
})

/** Query of `GET /api/v1/stats/export`. */
export const statsExportQuery = z.object({
  ...statsRange,
  ...buckets,
  ...logFilters,
  /** `requests`: lines of the log; `devices`: sums for each device and bucket; `ips`: stretches at addresses; `rotations`: those that began. */
  of: z.enum(['requests', 'devices', 'ips', 'rotations']).default('devices'),
  format: z.enum(['csv', 'ndjson']).default('csv'),
})
