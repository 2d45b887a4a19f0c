import type { Logger } from 'pino'
import { completeConfig, type HubConfig, type HubOptions, hubOptions } from '../config.ts'
import { type Variable, variables } from '../config-sources.ts'
import type { Refusal } from '../errors.ts'
import type { SettingStore } from '../store/index.ts'
import { seconds } from './readers.ts'

/** A setting as people give it: seconds, not ms; null: not set. */
export type SettingValue = string | number | boolean | string[] | null

/** Where a setting's value comes from: the first of these that gives one. `program`: the options of `createHub`. */
type SettingSource = 'flag' | 'environment' | 'program' | 'database' | 'default'

/** One setting of a running hub. */
export interface Setting {
  /** Its environment name. */
  name: string
  help: string
  /** What is in force; null for secrets, whatever they are. */
  value: SettingValue
  default: SettingValue
  source: SettingSource
  /** `fixed`: only where the hub is started. */
  takesEffect: 'at_once' | 'restart' | 'fixed'
  /** What the database has for the next start, where that is something else; undefined: nothing. */
  pending: SettingValue | undefined
}

/** Needed before there is a database, or part of who may reach it. Secrets are fixed, too. */
const FIXED = new Set<keyof HubOptions>(['host', 'port', 'dataDir', 'databaseUrl', 'databasePoolSize', 'tlsCert', 'tlsKey'])

/** Read each time they are needed, or handed on by `apply`. */
const AT_ONCE = new Set<keyof HubOptions>(['logLevel', 'apiRateLimit', 'addressRateLimit', 'quotaPeriod', 'blockAfter', 'blockMs'])

export interface SettingsParts {
  store: SettingStore
  /** What was given where the hub was started; wins over the database. */
  options: HubOptions
  /** Where each of the options comes from, as far as that is known. */
  sources: ReadonlyMap<keyof HubOptions, 'flag' | 'environment'>
  log: Logger
}

/** The hub's settings: what was given at its start, then what admins keep in the database, then the defaults. */
export class Settings {
  readonly #parts: SettingsParts
  /** In force in this process. What takes effect at once changes in it. */
  readonly config: HubConfig
  /** From the database, in force since the start or since they were set. */
  readonly #inForce: ReadonlySet<keyof HubOptions>
  /** The database's, by environment name. */
  #stored: ReadonlyMap<string, SettingValue>

  private constructor(parts: SettingsParts, stored: ReadonlyMap<string, SettingValue>) {
    this.#parts = parts
    this.#stored = stored
    const fromStore = new Map<keyof HubOptions, unknown>()
    for (const variable of variables) {
      const value = stored.get(variable.env[0])
      if (value === undefined || isFixed(variable) || this.#isGiven(variable)) continue
      const parsed = parse(variable, value)
      if (parsed.success) fromStore.set(variable.option, parsed.data)
      else parts.log.warn(`The database's setting ${variable.env[0]} ${parsed.complaint}: it is left out.`)
    }
    this.#inForce = new Set(fromStore.keys())
    this.config = completeConfig(hubOptions.parse({ ...Object.fromEntries(fromStore), ...parts.options }))
  }

  /** @throws HubError `database_down` */
  static async load(parts: SettingsParts): Promise<Settings> {
    return new Settings(parts, await readAll(parts.store))
  }

  /** Every setting, in the order of the command's help. @throws HubError `database_down` */
  async list(): Promise<Setting[]> {
    // Another hub on this database may have changed them.
    this.#stored = await readAll(this.#parts.store)
    return variables.map((variable) => this.#describe(variable))
  }

  /** Changes settings in the database, all or none; null goes back to the default. @throws HubError `database_down` */
  async change(changes: ReadonlyMap<string, SettingValue>): Promise<Refusal | null> {
    const errors: { field: string; message: string }[] = []
    const writes = new Map<string, { value: unknown; type: string; description: string } | null>()
    const values: [Variable, unknown][] = []
    for (const [name, value] of changes) {
      const variable = variables.find(({ env }) => env[0] === name)
      if (!variable) {
        errors.push({ field: `settings.${name}`, message: 'is no setting: GET /api/v1/config lists them' })
        continue
      }
      if (isFixed(variable) || this.#isGiven(variable)) return this.#fixed(variable)
      const parsed = parse(variable, value)
      if (!parsed.success) errors.push({ field: `settings.${name}`, message: parsed.complaint })
      else {
        // What is meant, not how it was typed: "45" is 45, or it would never be the same as what is in force.
        const meant = shown(variable, parsed.data)
        writes.set(name, value === null ? null : { value: meant, type: typeOf(meant), description: variable.help })
        values.push([variable, parsed.data])
      }
    }
    if (errors.length > 0)
      return { code: 'bad_request', detail: errors.map(({ field, message }) => `${field} ${message}`).join('; '), errors }
    await this.#parts.store.put(writes)
    for (const [{ option }, value] of values) if (AT_ONCE.has(option)) Object.assign(this.config, { [option]: value })
    this.#parts.log.level = this.config.logLevel
    return null
  }

  #describe(variable: Variable): Setting {
    const { option, env, help } = variable
    const stored = this.#stored.get(env[0])
    const value = shown(variable, this.config[option as keyof HubConfig])
    const fallback = shown(variable, hubOptions.shape[option].parse(undefined))
    const isGiven = this.#isGiven(variable)
    const isAtOnce = AT_ONCE.has(option)
    const isStored = isAtOnce ? stored !== undefined : this.#inForce.has(option)
    const source = isGiven ? (this.#parts.sources.get(option) ?? 'program') : isStored ? 'database' : 'default'
    // What the next start will find: the database's value, or none any more.
    const next = stored ?? fallback
    const mayDiffer = !isGiven && !isAtOnce && !isFixed(variable) && (stored !== undefined || this.#inForce.has(option))
    return {
      name: env[0],
      help,
      value: variable.secret ? null : value,
      default: variable.secret ? null : fallback,
      source,
      takesEffect: isFixed(variable) ? 'fixed' : isAtOnce ? 'at_once' : 'restart',
      pending: mayDiffer && !isSame(next, value) ? next : undefined,
    }
  }

  #isGiven({ option }: Variable): boolean {
    return this.#parts.options[option] !== undefined
  }

  #fixed(variable: Variable): Refusal {
    const name = variable.env[0]
    const from = this.#parts.sources.get(variable.option)
    if (!isFixed(variable) && from !== undefined)
      return {
        code: 'setting_fixed',
        detail: `${name} is given by the ${from === 'flag' ? 'command line' : 'environment'}: change it there.`,
      }
    return { code: 'setting_fixed', detail: `${name} can be set only where the hub is started.` }
  }
}

const isFixed = ({ option, secret }: Variable): boolean => secret === true || FIXED.has(option)

async function readAll(store: SettingStore): Promise<Map<string, SettingValue>> {
  return new Map((await store.all()).map(({ name, value }) => [name, value as SettingValue]))
}

/** The option's value by what people give; null: its default. */
function parse(variable: Variable, value: SettingValue): { success: true; data: unknown } | { success: false; complaint: string } {
  const given = value === null ? undefined : variable.read(Array.isArray(value) ? value.join(',') : String(value))
  const parsed = hubOptions.shape[variable.option].safeParse(given)
  if (parsed.success) return { success: true, data: parsed.data }
  return { success: false, complaint: `${parsed.error.issues[0]?.message ?? 'is not valid'}, not ${JSON.stringify(value)}` }
}

/** What people would give for an option's value. */
function shown({ read }: Variable, value: unknown): SettingValue {
  if (typeof value === 'number') return read === seconds ? value / 1000 : value
  return typeof value === 'string' || typeof value === 'boolean' || Array.isArray(value) ? (value as SettingValue) : null
}

const typeOf = (value: SettingValue): string =>
  typeof value === 'number' ? (Number.isInteger(value) ? 'integer' : 'float') : typeof value === 'object' ? 'json' : typeof value

const isSame = (a: SettingValue, b: SettingValue): boolean => JSON.stringify(a) === JSON.stringify(b)
