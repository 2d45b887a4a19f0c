import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { AgentConfig } from './config.ts'
import type { Gathered } from './config-sources.ts'
import { AgentError } from './errors.ts'

type Content = Readonly<Record<string, unknown>>

/**
 * Writes down how the one gathered device is run, so that the other commands need no flags: in the file that was gathered from, readable by
 * its user alone, as drivers have passwords. Returns whether there was something to write; a device is never there twice. Throws
 * `bad_config` when the file cannot be written.
 */
export async function writeDevice({ devices, path, file }: Gathered, { stateDir }: Pick<AgentConfig, 'stateDir'>): Promise<boolean> {
  const [source] = devices
  // The token is spent.
  const { token: _, ...input } = source?.own ?? {}
  const before = file?.content ?? null
  const after = withDevice(before, input.stateDir === undefined ? input : { ...input, stateDir })
  if (isDeepStrictEqual(before, after)) return false
  await replace(path, `${JSON.stringify(after, null, 2)}\n`)
  return true
}

/** The content of a file with a device in it, in the place of the one that had its name. */
export function withDevice(before: Content | null, input: Content): Content {
  const { hub, ...entry } = definedOnly(input)
  if (before === null) return { hub, devices: [entry] }
  const { token: _, ...file } = before
  if (!Array.isArray(file.devices)) {
    if (file.name === undefined || file.name === entry.name) return { ...file, hub, ...entry }
    const { hub: hubOfFile, metrics, ...other } = file
    return { hub: hubOfFile, ...definedOnly({ metrics }), devices: [other, ownPart({ hub, ...entry }, { hub: hubOfFile })] }
  }
  const { devices, ...shared } = file
  const own = ownPart({ hub, ...entry }, shared)
  const all: Content[] = devices
  const isThere = all.some(({ name }) => name === entry.name)
  const list = isThere ? all.map((device) => (device.name === entry.name ? merged(device, own) : device)) : [...all, own]
  return { ...definedOnly({ hub }), ...shared, devices: list }
}

/** What the file does not say for all devices. */
const ownPart = (entry: Content, shared: Content): Content =>
  Object.fromEntries(Object.entries(entry).filter(([key, value]) => !isDeepStrictEqual(value, shared[key])))

const merged = ({ token: _, ...device }: Content, own: Content): Content => ({ ...device, ...own })

const definedOnly = (values: Content): Content => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

async function replace(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const handle = await open(temporary, 'w', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await chmod(temporary, 0o600)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw new AgentError(
      'bad_config',
      `${path} cannot be written (${(error as NodeJS.ErrnoException).code}): give another with --config.`,
      {
        cause: error,
      },
    )
  }
}
