import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { accountOptions } from './config/accounts.ts'
import { alertOptions, refineAlertOptions } from './config/alerts.ts'
import { deviceOptions } from './config/devices.ts'
import { seconds } from './config/fields.ts'
import { gatewayOptions } from './config/gateway.ts'
import { metricsOptions } from './config/metrics.ts'
import { outboundOptions } from './config/outbound.ts'
import { rotationOptions } from './config/rotations.ts'
import { statisticsOptions } from './config/statistics.ts'
import { tunnelOptions } from './config/tunnel.ts'
import { isCidr, isLoopbackHost } from './fleet/address.ts'

const cidrs = z.array(z.string().refine(isCidr, 'must be addresses or networks like 10.0.0.0/8, separated by commas'))

/** One entry of CORS_ORIGINS: what a browser sends as `Origin`. */
const origin = z
  .string()
  .refine((text) => text === '*' || (URL.canParse(text) && new URL(text).origin === text), 'must be origins like https://page.example.com')

const options = z.strictObject({
  /** Address to listen on. Beyond loopback the hub starts only when its database holds an admin key. */
  host: z.string().min(1, 'must be an address or a host name').default('127.0.0.1'),
  /** 0 lets the system choose. The Korean specification's port. */
  port: z.int({ error: 'must be a whole number' }).min(0, 'must be 0 to 65535').max(65_535, 'must be 0 to 65535').default(3001),
  /** Holds the embedded database and the generated secret key. */
  dataDir: z
    .string()
    .min(1, 'must be a folder')
    .default(() => join(homedir(), '.mobilepool', 'hub')),
  /** `postgresql://user:password@host:5432/database`; null: the embedded database. */
  databaseUrl: z
    .string()
    .refine(isWholePostgresUrl, 'must be whole, like postgresql://user:password@host:5432/database')
    .nullable()
    .default(null),
  /** Connections to Postgres; more than ten bring nothing, since heartbeats are written in groups. */
  databasePoolSize: z.int({ error: 'must be a whole number' }).min(2, 'must be 2 to 200').max(200, 'must be 2 to 200').default(10),
  /** Encrypts proxy credentials in the database; null: generated once into a file of the data folder. */
  secretKey: z.string().min(16, 'must have at least 16 characters').max(1024).nullable().default(null),
  /** Accepted as an admin key, besides those made later; kept as a hash. */
  adminKey: z
    .string()
    .regex(/^mp_[A-Za-z0-9_-]{24,200}$/, 'must be "mp_" and at least 24 letters or digits; e.g. from: echo mp_$(openssl rand -hex 24)')
    .nullable()
    .default(null),
  /** Devices that may be adopted, and as many pending names again. */
  maxDevices: z.int({ error: 'must be a whole number' }).min(1, 'must be 1 to 1000000').max(1_000_000, 'must be 1 to 1000000').default(50),
  /** New names that one address may bring a minute. */
  newNamesPerMinute: z
    .int({ error: 'must be a whole number' })
    .min(1, 'must be 1 to 100000')
    .max(100_000, 'must be 1 to 100000')
    .default(100),
  /** Silence that takes an agent's device offline, ms. Agents send every 10 to 30 s. */
  agentTimeoutMs: seconds(1, 86_400).default(60_000),
  /** Silence that takes a crontab device offline, ms: cron's finest step and 20 s. */
  bareTimeoutMs: seconds(1, 86_400).default(80_000),
  /** `rotation_interval` of a device that is created without one, seconds. */
  defaultRotationInterval: z
    .int({ error: 'must be a whole number of seconds' })
    .min(1, 'must be 1 to 86400 seconds')
    .max(86_400, 'must be 1 to 86400 seconds')
    .default(600),
  ...rotationOptions,
  /** Proxies whose X-Forwarded-For counts. */
  trustProxy: cidrs.default([]),
  /** Networks that heartbeats may come from; empty: any. */
  heartbeatAllow: cidrs.default([]),
  /** Origins whose pages may read this hub. */
  corsOrigins: z.array(origin).default([]),
  /** Whether /status and the anonymous event stream need no key; null: only on loopback. */
  publicStatus: z.boolean({ error: 'must be true or false' }).nullable().default(null),
  ...deviceOptions,
  ...outboundOptions,
  ...accountOptions,
  ...metricsOptions,
  ...alertOptions,
  ...statisticsOptions,
  ...gatewayOptions,
  ...tunnelOptions,
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'must be trace, debug, info, warn, error, fatal or silent',
    })
    .default('info'),
})

/** A hub's options, each with its default. `readConfig` fills them from the environment and the command line. */
export const hubOptions = options.superRefine(refineAlertOptions)

/** What `createHub` takes: every option may be left out. */
export type HubOptions = z.input<typeof hubOptions>

/** The options with their defaults, and what follows from them. */
export type HubConfig = Omit<z.output<typeof hubOptions>, 'publicStatus'> & { publicStatus: boolean }

/** Fills in what depends on other options. */
export const completeConfig = (options: z.output<typeof hubOptions>): HubConfig => ({
  ...options,
  publicStatus: options.publicStatus ?? isLoopbackHost(options.host),
})

/** Without host or database the driver would quietly fall back to PG* variables or the user's name. */
function isWholePostgresUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  const host = url.hostname || url.searchParams.get('host')
  return /^postgres(ql)?:$/.test(url.protocol) && Boolean(host) && url.pathname.length > 1
}
