import type { z } from 'zod'
import { accountVariables } from './config/account-variables.ts'
import { alertVariables } from './config/alert-variables.ts'
import { gatewayVariables } from './config/gateway-variables.ts'
import { list, number, seconds, text, yesNo } from './config/readers.ts'
import { rotationVariables } from './config/rotation-variables.ts'
import { statisticsVariables } from './config/statistics-variables.ts'
import { tunnelVariables } from './config/tunnel-variables.ts'
import { completeConfig, type HubConfig, type HubOptions, hubOptions } from './config.ts'
import { HubError } from './errors.ts'

/** One setting of the hub as an operator gives it. */
export interface Variable {
  option: keyof HubOptions
  /** Environment names, the first is the one we write about. */
  env: readonly [string, ...string[]]
  /** Command-line flag, where there is one. */
  flag?: string
  /** Text as given to the option's value; what it cannot read it leaves for the schema to refuse. */
  read: (text: string) => unknown
  secret?: true
  help: string
}

/** Every variable the hub reads, in the order of its help. */
export const variables: readonly Variable[] = [
  { option: 'port', env: ['API_PORT', 'PORT'], flag: '--port', read: number, help: 'port to listen on; 0 lets the system choose (3001)' },
  { option: 'host', env: ['API_HOST'], flag: '--host', read: text, help: 'address to listen on (127.0.0.1)' },
  {
    option: 'dataDir',
    env: ['HUB_DATA_DIR'],
    flag: '--data-dir',
    read: text,
    help: 'folder of the embedded database and the generated secret key (~/.mobilepool/hub)',
  },
  {
    option: 'logLevel',
    env: ['LOG_LEVEL'],
    flag: '--log-level',
    read: text,
    help: 'trace, debug (each heartbeat), info (each IP change), warn, error, fatal, silent (info)',
  },
  {
    option: 'databaseUrl',
    env: ['DATABASE_URL'],
    read: text,
    secret: true,
    help: 'postgresql://user:password@host:5432/database; empty: the embedded database',
  },
  { option: 'databasePoolSize', env: ['DATABASE_POOL_SIZE'], read: number, help: 'connections to Postgres (10)' },
  {
    option: 'secretKey',
    env: ['SECRET_KEY'],
    read: text,
    secret: true,
    help: 'encrypts proxy credentials in the database (generated into HUB_DATA_DIR/secret.key)',
  },
  { option: 'adminKey', env: ['MOBILEPOOL_ADMIN_KEY'], read: text, secret: true, help: 'an admin key to accept, mp_...; kept as a hash' },
  { option: 'maxDevices', env: ['MAX_DEVICES'], read: number, help: 'devices that may be adopted, and as many pending names (50)' },
  {
    option: 'maxRequestsPerMinute',
    env: ['MAX_REQUESTS_PER_MINUTE'],
    read: number,
    help: 'requests_per_minute of a device created without it; unset: as the pools are told',
  },
  {
    option: 'deviceSilentAfterMs',
    env: ['DEVICE_SILENT_AFTER'],
    read: seconds,
    help: 'seconds of silence after which a device’s owner is told (300)',
  },
  { option: 'newNamesPerMinute', env: ['NEW_NAMES_PER_MINUTE'], read: number, help: 'new names that one address may bring a minute (100)' },
  { option: 'agentTimeoutMs', env: ['HEARTBEAT_TIMEOUT'], read: seconds, help: 'seconds of silence until an agent is offline (60)' },
  {
    option: 'bareTimeoutMs',
    env: ['BARE_HEARTBEAT_TIMEOUT'],
    read: seconds,
    help: 'seconds of silence until a crontab device is offline (80)',
  },
  {
    option: 'defaultRotationInterval',
    env: ['DEFAULT_ROTATION_INTERVAL'],
    read: number,
    help: 'rotation_interval of a device created without one, seconds (600)',
  },
  ...rotationVariables,
  {
    option: 'trustProxy',
    env: ['TRUST_PROXY'],
    read: list,
    help: 'addresses or networks of proxies whose X-Forwarded-For counts, comma-separated (none)',
  },
  { option: 'heartbeatAllow', env: ['HEARTBEAT_ALLOW'], read: list, help: 'networks that heartbeats may come from, comma-separated (any)' },
  { option: 'corsOrigins', env: ['CORS_ORIGINS'], read: list, help: 'origins whose pages may read this hub, comma-separated (none)' },
  {
    option: 'publicStatus',
    env: ['PUBLIC_STATUS'],
    read: yesNo,
    help: '/status, its event stream and /metrics without a key: true or false (true on loopback only)',
  },
  {
    option: 'metricsMaxDevices',
    env: ['METRICS_MAX_DEVICES'],
    read: number,
    help: 'devices with metrics of their own; the rest is counted together as "other" (1000)',
  },
  ...accountVariables,
  ...alertVariables,
  ...statisticsVariables,
  ...gatewayVariables,
  ...tunnelVariables,
]

/** Set without DATABASE_URL they mean that somebody wants Postgres; PGlite in their place would lose data in silence. */
const HALF_SET = [
  'DATABASE_POOL_SIZE',
  'DATABASE_HOST',
  'DATABASE_PORT',
  'DATABASE_NAME',
  'DATABASE_USER',
  'DATABASE_PASSWORD',
  'PGHOST',
  'PGDATABASE',
]

type Environment = Record<string, string | undefined>
type Flags = Partial<Record<keyof HubOptions, string>>

/**
 * Flags before environment before defaults, as one typed object. An empty variable counts as unset.
 * @throws HubError `config_invalid` that lists every problem, each by the name under which it was given.
 */
export const readConfig = (env: Environment, flags: Flags = {}): HubConfig =>
  completeConfig(hubOptions.parse(readOptions(env, flags).options))

/** What was set where the hub is started, and where. @throws as `readConfig` */
export function readOptions(
  env: Environment,
  flags: Flags = {},
): { options: HubOptions; sources: ReadonlyMap<keyof HubOptions, 'flag' | 'environment'> } {
  const given = new Map<keyof HubOptions, { name: string; text: string; variable: Variable }>()
  for (const variable of variables) {
    const flag = flags[variable.option]
    const name = variable.env.find((candidate) => env[candidate])
    if (flag !== undefined) given.set(variable.option, { name: variable.flag ?? variable.option, text: flag, variable })
    else if (name !== undefined) given.set(variable.option, { name, text: env[name] ?? '', variable })
  }
  const options = Object.fromEntries([...given].map(([option, { text: value, variable }]) => [option, variable.read(value)]))
  const parsed = hubOptions.safeParse(options)

  const problems = parsed.success ? [] : parsed.error.issues.map((issue) => describe(issue, given))
  const halfSet = HALF_SET.filter((name) => env[name])
  if (!env.DATABASE_URL && halfSet.length > 0)
    problems.push(`${halfSet.join(', ')} set without DATABASE_URL: set DATABASE_URL for Postgres, or unset it for the embedded database`)

  if (problems.length > 0 || !parsed.success)
    throw new HubError('config_invalid', `The configuration is not valid:\n${[...new Set(problems)].map((line) => `  ${line}`).join('\n')}`)
  const sources = new Map(
    [...given.keys()].map((option) => [option, flags[option] === undefined ? ('environment' as const) : ('flag' as const)]),
  )
  return { options: options as HubOptions, sources }
}

function describe(issue: z.core.$ZodIssue, given: ReadonlyMap<string, { name: string; text: string; variable: Variable }>): string {
  const source = given.get(String(issue.path[0]))
  if (!source) return issue.message
  const { name, text: value, variable } = source
  return variable.secret ? `${name} ${issue.message}` : `${name} ${issue.message}, not "${value}"`
}
