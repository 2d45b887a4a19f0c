import { readFileSync } from 'node:fs'
import { AgentError } from './errors.ts'

/** Flags as commander gives them. */
export type Flags = Record<string, unknown>

/**
 * Puts a configuration together: flags, then environment (`MOBILEPOOL_HUB_URL`, `MOBILEPOOL_TOKEN`), then the JSON file named by `--config`.
 * What comes first wins. Not checked yet, except that JSON must be JSON. Throws `bad_config`.
 */
export function gatherConfig(flags: Flags, env: NodeJS.ProcessEnv): Record<string, unknown> {
  const { config: file, driverOptions, ...others } = flags
  const fromFile = typeof file === 'string' ? parseObject(readText(file), file) : {}
  const fromEnv = { hub: env.MOBILEPOOL_HUB_URL || undefined, token: env.MOBILEPOOL_TOKEN || undefined }
  const fromFlags: Flags = {
    ...others,
    driverOptions: typeof driverOptions === 'string' ? parseObject(driverOptions, '--driver-options') : undefined,
  }
  // Commander says true where --no-tunnel or --no-policy-routes was not given, which is not to win over the file.
  for (const flag of ['tunnel', 'policyRoutes']) if (others[flag] === true) fromFlags[flag] = undefined
  return { ...fromFile, ...given(fromEnv), ...given(fromFlags) }
}

const given = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new AgentError('bad_config', `--config: ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
}

function parseObject(text: string, from: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new AgentError('bad_config', `${from} is not JSON: ${(error as Error).message}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AgentError('bad_config', `${from} must hold a JSON object.`)
  return { ...value }
}
