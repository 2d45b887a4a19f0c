import { USAGE_LINES_MAX, type UsageBatchJson, usageRecord } from '@mobilepool/sdk/contract'
import { HubError } from '../errors.ts'

/** Complaints of one answer. */
const MAX_ERRORS = 20

/**
 * A batch of NDJSON: a record a line, empty lines left out.
 * @throws HubError `bad_request` that names each bad line by its number; nothing of the batch is taken then
 */
export function parseUsageLines(text: string): UsageBatchJson['records'] {
  const records: UsageBatchJson['records'] = []
  const errors: { field: string; message: string }[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    if (records.length + errors.length >= USAGE_LINES_MAX)
      throw new HubError('body_too_large', `A batch has at most ${USAGE_LINES_MAX} lines: send the rest as another.`)
    const parsed = parseLine(line)
    if (typeof parsed !== 'string') records.push(parsed)
    else if (errors.push({ field: `line ${index + 1}`, message: parsed }) === MAX_ERRORS) break
  }
  if (errors.length === 0 && records.length === 0) errors.push({ field: 'line 1', message: 'is missing: send a record a line' })
  if (errors.length > 0)
    throw new HubError('bad_request', errors.map(({ field, message }) => `${field}: ${message}`).join('; '), { errors })
  return records
}

function parseLine(line: string): UsageBatchJson['records'][number] | string {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return 'is not JSON'
  }
  const parsed = usageRecord.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  return `${issue?.path.join('.') || 'record'} ${issue?.message ?? 'is not valid'}`
}
