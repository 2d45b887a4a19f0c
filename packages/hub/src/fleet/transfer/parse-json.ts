import { type ParsedFile, unreadable } from './parsed-line.ts'

/** What an export has besides what is set. */
const LEARNT = ['id', 'kind', 'status', 'exit_ip', 'last_heartbeat', 'ip_changes', 'created_at', 'updated_at']

/** A list of devices, or an object that has it as `devices`. */
export function parseJson(content: string): ParsedFile {
  const parsed = readJson(content)
  if ('message' in parsed) return unreadable(1, parsed.message)
  const { value } = parsed
  const list = Array.isArray(value) ? value : isObject(value) && Array.isArray(value.devices) ? value.devices : null
  if (!list) return unreadable(1, 'must be a list of devices, or an object with such a list as "devices"')
  const file: ParsedFile = { lines: [], errors: [] }
  for (const [index, item] of list.entries()) {
    if (isObject(item)) file.lines.push({ line: index + 1, fields: withoutLearnt(item) })
    else file.errors.push({ line: index + 1, name: null, field: 'content', message: 'must be an object with the fields of a device' })
  }
  return file
}

/** JSON, or why it is none. */
export function readJson(content: string): { value: unknown } | { message: string } {
  try {
    return { value: JSON.parse(content) as unknown }
  } catch (error) {
    return { message: `is no JSON: ${(error as Error).message}` }
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const withoutLearnt = (item: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(item).filter(([field]) => !LEARNT.includes(field)))
