import type { SettingJson } from '@mobilepool/sdk/contract'
import { readFields, readOneOf, readText } from '../fleet/fields.ts'
import { known, readList } from '../fleet/lists.ts'

type SettingValue = SettingJson['value']

/** A setting of the hub. */
export interface Setting {
  readonly name: string
  /** In English, as the hub's command has it. */
  readonly help: string
  /** In force now; null: not set, or a secret. */
  readonly value: SettingValue
  readonly fallback: SettingValue
  readonly source: SettingJson['source']
  readonly takesEffect: SettingJson['takes_effect']
  /** In force after the hub's next start; undefined: the same as now. */
  readonly pending: SettingValue | undefined
}

// Written out because the page takes only types from the contract; the types make each list complete.
const sources = { flag: 1, environment: 1, program: 1, database: 1, default: 1 } satisfies Record<Setting['source'], 1>
const effects = { at_once: 1, restart: 1, fixed: 1 } satisfies Record<Setting['takesEffect'], 1>
const LONGEST = 1_000

/** Reads `GET /api/v1/config`. */
export function readSettings(json: unknown): readonly Setting[] | null {
  const fields = readFields(json)
  return fields === null ? null : readList(fields.settings).map(readSetting).filter(known)
}

function readSetting(json: unknown): Setting | null {
  const setting: { readonly [Field in keyof SettingJson]?: unknown } | null = readFields(json)
  const name = readText(setting?.name)
  if (setting === null || name === null) return null
  return {
    name,
    help: readText(setting.help, LONGEST) ?? '',
    value: readValue(setting.value),
    fallback: readValue(setting.default),
    source: readOneOf(setting.source, sources) ?? 'default',
    // What cannot be understood is better not changed.
    takesEffect: readOneOf(setting.takes_effect, effects) ?? 'fixed',
    pending: setting.pending === undefined ? undefined : readValue(setting.pending),
  }
}

function readValue(value: unknown): SettingValue {
  if (typeof value === 'number' || typeof value === 'boolean') return value
  if (Array.isArray(value)) return value.map((item) => readText(item, LONGEST)).filter(known)
  return readText(value, LONGEST)
}

/** What was given where the hub was started goes before what admins keep, and some settings can be given only there. */
export const isChangeable = ({ source, takesEffect }: Setting): boolean =>
  takesEffect !== 'fixed' && (source === 'database' || source === 'default')

/** A value as one types it; empty: not set. */
export const typedValue = (value: SettingValue): string => (Array.isArray(value) ? value.join(', ') : value === null ? '' : String(value))

/** Is every word of `search` in the setting's name, help or value? */
export function fits({ name, help, value }: Setting, search: string): boolean {
  const text = `${name} ${help} ${typedValue(value)}`.toLowerCase()
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}
