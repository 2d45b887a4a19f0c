import { CsvError, parse } from 'csv-parse/sync'
import { type ParsedFile, unreadable } from './parsed-line.ts'

const NUMBERS = new Set(['port', 'weight', 'requests_per_minute', 'concurrency', 'data_cap_bytes', 'data_cap_day', 'rotation_interval'])
const FLAGS = new Set(['auto_rotation', 'maintenance'])

/** Columns of our own exports that say what the hub has learnt; an import of one leaves them alone. */
const LEARNT = new Set(['id', 'kind', 'status', 'exit_ip', 'last_heartbeat', 'ip_changes', 'created_at', 'updated_at'])

/**
 * CSV with a heading line, separated by commas, semicolons or tabs, as spreadsheets write it. An empty cell is a field that is not given;
 * tags are separated by `|`; a quote before `=`, `+`, `-` or `@` (our exports have it against formulas) is taken off.
 */
export function parseCsv(content: string): ParsedFile {
  try {
    const rows = parse(content, {
      bom: true,
      delimiter: delimiterOf(content),
      columns: (heading: string[]) => heading.map((name) => name.trim().toLowerCase()),
      info: true,
      relax_column_count: false,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as { record: Record<string, string>; info: { lines: number } }[]
    return { lines: rows.map(({ record, info }) => ({ line: info.lines, fields: fieldsOf(record) })), errors: [] }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    return unreadable(Number((error as { lines?: number }).lines ?? 1), `is no CSV: ${error.message}`)
  }
}

/** The separator that the heading line has most of. */
function delimiterOf(content: string): string {
  const heading = content.split('\n', 1)[0] ?? ''
  const count = (text: string): number => heading.split(text).length
  return [',', ';', '\t'].reduce((best, one) => (count(one) > count(best) ? one : best))
}

function fieldsOf(record: Record<string, string>): Record<string, unknown> {
  const given = Object.entries(record).filter(([name, cell]) => cell !== '' && !LEARNT.has(name))
  return Object.fromEntries(given.map(([name, cell]) => [name, cellValue(name, cell.replace(/^'(?=[=+\-@])/, ''))]))
}

function cellValue(name: string, cell: string): unknown {
  if (name === 'tags')
    return cell
      .split('|')
      .map((tag) => tag.trim())
      .filter((tag) => tag !== '')
  if (NUMBERS.has(name)) return Number.isNaN(Number(cell)) ? cell : Number(cell)
  if (FLAGS.has(name)) return /^(true|yes|1)$/i.test(cell) ? true : /^(false|no|0)$/i.test(cell) ? false : cell
  return cell
}
