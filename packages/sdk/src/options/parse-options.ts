import type { z } from 'zod'
import { MobilePoolError } from '../errors.ts'
import type { MobilePoolOptions } from './pool-options.ts'
import { type PoolSettings, poolOptions } from './schema.ts'

/** Checks options and fills in what is not given. Throws `MP_OPTIONS` that names every wrong option and what would be right. */
export function parseOptions(options: MobilePoolOptions | undefined): PoolSettings {
  // JavaScript lets people leave them out altogether: then it is the devices that are missing.
  const parsed = poolOptions.safeParse(options ?? {})
  if (parsed.success) {
    const { concurrency, requestsPerMinute } = options?.perDevice ?? {}
    return { ...parsed.data, asked: { concurrency, requestsPerMinute } }
  }
  throw optionsError("the pool's options are wrong", parsed.error)
}

/** `MP_OPTIONS` with every problem that a schema found. */
export const optionsError = (what: string, { issues }: z.ZodError): MobilePoolError =>
  new MobilePoolError('MP_OPTIONS', `${what}: ${issues.flatMap((issue) => describe(issue, [])).join('; ')}`, { phase: 'options' })

/** One line an issue. Of a choice between shapes the complaints of the shape that came closest are shown: the one with the longest path. */
function describe(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[]): string[] {
  const path = [...prefix, ...issue.path]
  if (issue.code === 'invalid_union') {
    const deepest = issue.errors.filter((issues) => issues.some((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys'))
    const [closest] = deepest
    if (closest !== undefined) return closest.flatMap((inner) => describe(inner, path))
  }
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${pathText([...path, key])}: there is no such option`)
  return [path.length === 0 ? issue.message : `${pathText(path)}: ${issue.message}`]
}

const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`),
    '',
  )
