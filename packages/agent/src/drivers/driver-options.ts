import type { z } from 'zod'
import { AgentError } from '../errors.ts'

/** Checks the options of a driver. Throws `bad_config` with every problem, each naming the option and what would be right. */
export function parseDriverOptions<Schema extends z.ZodType>(schema: Schema, options: Record<string, unknown>): z.output<Schema> {
  const parsed = schema.safeParse(options)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => {
    const isMissing = issue.code === 'invalid_type' && issue.path.length === 1 && options[String(issue.path[0])] === undefined
    return `${['driverOptions', ...issue.path].join('.')} (--driver-options): ${isMissing ? 'is missing' : issue.message}`
  })
  throw new AgentError('bad_config', problems.join('\n'))
}
