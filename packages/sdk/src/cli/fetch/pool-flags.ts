import type { Command } from 'commander'
import type { ViewOptions } from '../../clients/view-options.ts'
import { MobilePoolError } from '../../errors.ts'
import { MobilePool } from '../../mobile-pool.ts'
import type { FilterOptions, MobilePoolOptions } from '../../options/pool-options.ts'
import { collect, UsageError, wholeNumber } from '../usage.ts'

/** Flags that say through which pool. */
export interface PoolFlags {
  hub?: string
  tokenEnv: string
  proxy?: string[]
  filter?: string[]
  session?: string
  attempts: number
  timeout: number
}

/** Adds them to a command. */
export const addPoolFlags = (command: Command): Command =>
  command
    .option('--hub <url>', 'a hub that knows the devices, e.g. http://hub:3001 (env MOBILEPOOL_HUB_URL)')
    .option('--token-env <name>', 'environment variable that holds an API key of the hub', 'MOBILEPOOL_TOKEN')
    .option('--proxy <url>', 'a device by its proxy URL instead of a hub; may be repeated', collect)
    .option('--filter <key=value>', 'only devices with this operator, region, type or tag; may be repeated', collect)
    .option('--session <key>', 'the same device for the same key in every run, as long as the devices are the same')
    .option('--attempts <n>', 'attempts at most, each on another device', wholeNumber(1, 20), 3)
    .option('--timeout <ms>', 'for the whole request', wholeNumber(1, 3_600_000), 60_000)

/** Opens the pool that the flags describe. Throws `UsageError` when they do not. */
export function openPool(flags: PoolFlags, env: NodeJS.ProcessEnv): MobilePool {
  const hubUrl = flags.proxy === undefined ? (flags.hub ?? env.MOBILEPOOL_HUB_URL) : flags.hub
  if (hubUrl === undefined && flags.proxy === undefined) throw new UsageError('through which pool? Give --hub URL, or --proxy URL')
  if (hubUrl !== undefined && flags.proxy !== undefined) throw new UsageError('--hub and --proxy exclude each other')
  if (flags.session === '') throw new UsageError('--session: the key is empty')
  const token = env[flags.tokenEnv]
  const options: MobilePoolOptions = {
    ...(hubUrl === undefined ? { devices: flags.proxy ?? [] } : { hub: { url: hubUrl, ...(token ? { token } : {}) } }),
    filter: readFilter(flags.filter ?? []),
    // No run knows of the ones before: the key itself decides.
    ...(flags.session === undefined ? {} : { balancer: 'ip-hash' as const }),
    retry: { attempts: flags.attempts, budget: 1 },
    queue: { timeoutMs: flags.timeout },
  }
  try {
    return new MobilePool(options)
  } catch (error) {
    if (error instanceof MobilePoolError && error.code === 'MP_OPTIONS') throw new UsageError(withoutUrls(error.message))
    throw error
  }
}

/** What the flags ask of the request itself. */
export const viewFrom = ({ session }: PoolFlags): { view?: ViewOptions } =>
  session === undefined ? {} : { view: { session, hashKey: session } }

/** What `--filter operator=MTS --filter tag=farm-1` says. */
function readFilter(pairs: readonly string[]): FilterOptions {
  const lists: Record<'operator' | 'region' | 'type' | 'tags', string[]> = { operator: [], region: [], type: [], tags: [] }
  for (const pair of pairs) {
    const [, key = '', value = ''] = /^([a-z]+)=(.+)$/.exec(pair) ?? []
    const field = key === 'tag' ? 'tags' : key
    if (!(field in lists) || value === '')
      throw new UsageError(`--filter ${pair}: it must be operator=NAME, region=NAME, type=TYPE or tag=NAME`)
    lists[field as keyof typeof lists].push(value)
  }
  // The pool's own schema checks the values.
  return Object.fromEntries(Object.entries(lists).filter(([, values]) => values.length > 0)) as FilterOptions
}

/** Messages about a device's URL must not repeat it: it may hold a password. */
const withoutUrls = (message: string): string => message.replace(/[a-z0-9+]+:\/\/\S+@/gi, '***@')
