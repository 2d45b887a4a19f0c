import { join, resolve } from 'node:path'
import { agentHome, type ConfigFile, lineOf, parseObject, readConfigFile, usualConfigFile } from './config-file.ts'
import { AgentError } from './errors.ts'

/** Flags as commander gives them. */
export type Flags = Record<string, unknown>

/** One device's configuration, not checked yet, and where each part of it stands. */
interface DeviceSource {
  readonly input: Record<string, unknown>
  /** What of it is the device's own: not said for all devices, nor a default. */
  readonly own: Record<string, unknown>
  /** Where the user has to look for a part of it: a flag, or a line of the file. */
  whereIs(path: readonly PropertyKey[]): string
}

/** What one process is to run. */
export interface Gathered {
  readonly devices: readonly DeviceSource[]
  /** Where the metrics are to be had; not checked yet. */
  readonly metrics: unknown
  /** The file that was read, or that would have been: the one that `enroll` writes to. */
  readonly path: string
  readonly file: ConfigFile | null
}

/** Every variable of the environment that the agent reads. `option`: what of the configuration it gives; null: the file that holds it. */
export const environmentVariables = [
  { name: 'MOBILEPOOL_HUB_URL', option: 'hub', help: 'URL of the hub, like https://hub.example.com' },
  { name: 'MOBILEPOOL_TOKEN', option: 'token', help: 'one-time token, needed on the first start only' },
  { name: 'MOBILEPOOL_CONFIG', option: null, help: 'JSON file with the options (~/.mobilepool/agent.json)' },
] as const

const flagOf = (field: PropertyKey | undefined): string =>
  `--${String(field ?? '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/**
 * Puts the configuration of a process together: flags, then environment (`MOBILEPOOL_HUB_URL`, `MOBILEPOOL_TOKEN`), then the JSON file named by
 * `--config` or `MOBILEPOOL_CONFIG`, or else the usual one if it is there. What comes first wins. A file with `devices` is of several
 * devices, what stands beside them counts for each; `--name` picks one. Not checked yet, except that JSON must be JSON. Throws `bad_config`.
 */
export function gatherConfig(flags: Flags, env: NodeJS.ProcessEnv): Gathered {
  const { config, driverOptions, metrics, ...others } = flags
  const told = typeof config === 'string' ? config : env.MOBILEPOOL_CONFIG || null
  const path = resolve(told ?? usualConfigFile())
  const file = readConfigFile(path)
  if (told !== null && !file) throw new AgentError('bad_config', `--config: ${path} cannot be read (ENOENT).`)

  const fromEnv = Object.fromEntries(
    environmentVariables.flatMap(({ name, option }) => (option === null ? [] : [[option, env[name] || undefined]])),
  )
  const fromFlags: Flags = {
    ...others,
    driverOptions: typeof driverOptions === 'string' ? parseObject(driverOptions, '--driver-options') : undefined,
  }
  // Commander says true where --no-tunnel or --no-policy-routes was not given, which is not to win over the file.
  for (const flag of ['tunnel', 'policyRoutes', 'recovery']) if (others[flag] === true) fromFlags[flag] = undefined
  const given = { ...defined(fromEnv), ...defined(fromFlags) }
  const { name } = given
  const { metrics: metricsOfFile, ...content } = file?.content ?? {}
  const base = { path, file, metrics: metrics ?? metricsOfFile }
  const onCommandLine = { input: given, own: given, whereIs: ([field]: readonly PropertyKey[]) => flagOf(field) }
  if (!file) return { ...base, devices: [onCommandLine] }

  const { devices, ...shared } = content
  if (devices === undefined) {
    // The usual file of another device is not this one's.
    if (told === null && name !== undefined && shared.name !== undefined && shared.name !== name)
      return { ...base, devices: [onCommandLine] }
    return { ...base, devices: [{ input: { ...shared, ...given }, own: { ...shared, ...given }, whereIs: locate(given, file, []) }] }
  }
  const entries = entriesOf(devices, file)
  if (name !== undefined) {
    const index = entries.findIndex((entry) => entry.name === name)
    if (index >= 0) {
      const entry = entries[index] ?? {}
      const input = { ...shared, ...entry, ...given, stateDir: given.stateDir ?? ownFolder(shared, entry) }
      return { ...base, devices: [{ input, own: { ...entry, ...given }, whereIs: locate(given, file, ['devices', index]) }] }
    }
    return {
      ...base,
      devices: [
        {
          input: { ...(told === null ? { hub: shared.hub } : { ...shared, stateDir: undefined }), ...given },
          own: given,
          whereIs: onCommandLine.whereIs,
        },
      ],
    }
  }
  const { stateDir, ...givenToAll } = given
  const forAll = { ...shared, ...(stateDir === undefined ? {} : { stateDir }) }
  const all = entries.map((entry, index) => ({
    input: { ...shared, ...entry, ...givenToAll, stateDir: ownFolder(forAll, entry) },
    own: entry,
    whereIs: locate(given, file, ['devices', index]),
  }))
  return { ...base, devices: all }
}

/** A device of several has a folder of its own. */
function ownFolder(shared: Flags, entry: Flags): unknown {
  if (entry.stateDir !== undefined) return entry.stateDir
  const base = shared.stateDir ?? agentHome()
  return typeof base === 'string' && typeof entry.name === 'string' ? join(base, entry.name) : undefined
}

function entriesOf(devices: unknown, file: ConfigFile): Flags[] {
  const where = `${file.path}, line ${lineOf(file.text, ['devices'])}`
  const isList = Array.isArray(devices) && devices.every((entry) => typeof entry === 'object' && entry !== null && !Array.isArray(entry))
  if (!isList || devices.length === 0)
    throw new AgentError('bad_config', `devices (${where}): must be a list of devices, like [{ "name": "seoul-01", "driver": "hilink" }]`)
  const entries = devices as Flags[]
  for (const [index, { name }] of entries.entries()) {
    if (entries.findIndex((other) => other.name === name) < index) {
      const line = lineOf(file.text, ['devices', index, 'name'])
      throw new AgentError('bad_config', `devices[${index}].name (${file.path}, line ${line}): ${String(name)} is there already`)
    }
  }
  return entries
}

function locate(given: Flags, { path, text, content }: ConfigFile, at: readonly PropertyKey[]): DeviceSource['whereIs'] {
  return (field) => {
    const [first] = field
    if (first === undefined || String(first) in given) return flagOf(first)
    const isOwn = lineOf(text, [...at, first]) !== lineOf(text, at) || at.length === 0
    const isThere = isOwn || String(first) in content
    return isThere
      ? `${path}, line ${lineOf(text, isOwn ? [...at, ...field] : field)}`
      : `${flagOf(first)}, or ${path}, line ${lineOf(text, at)}`
  }
}

const defined = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
