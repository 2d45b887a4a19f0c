import type { AlertMessage } from '../store/index.ts'

/** What a duration is called, to two units: `3 h 12 min`, `45 s`. */
export function inWords(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  if (first < 0) return '0 s'
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')
}

/** A moment for people: `2026-11-23 03:10 UTC`. */
export const moment = (time: number): string => `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`

/** `CRITICAL`, or what else the notice is about. */
function label({ notice, alert }: AlertMessage): string {
  if (notice === 'resolved') return 'RESOLVED'
  if (notice === 'test') return 'TEST'
  const severity = alert.severity.toUpperCase()
  if (notice === 'worse') return `NOW ${severity}`
  return notice === 'reminder' ? `STILL ${severity}` : severity
}

/** One line. */
const headline = (message: AlertMessage): string => `[${label(message)}] ${message.alert.title}`

/** The line for many messages at once, else the only one's. */
export function subjectLine(messages: readonly AlertMessage[]): string {
  const [first] = messages
  if (first && messages.length === 1) return headline(first)
  const over = messages.filter(({ notice }) => notice === 'resolved').length
  const news = messages.length - over
  const counts = [news > 0 ? `${news} firing` : '', over > 0 ? `${over} resolved` : ''].filter((part) => part !== '')
  return `[ALERTS] ${counts.join(', ')}`
}

/** The messages as plain text of at most so many characters: what does not fit is counted, not dropped in silence. */
export function plainText(messages: readonly AlertMessage[], maxLength: number): string {
  const isOne = messages.length === 1
  const entries = messages.map((message) => `${headline(message)}\n${message.alert.detail}`)
  let text = isOne ? '' : `${subjectLine(messages)}`
  for (const [index, entry] of entries.entries()) {
    const next = text === '' ? entry : `${text}\n\n${entry}`
    const left = messages.length - index
    // Room for the line that says how many are left out.
    if (next.length > maxLength - (left > 1 ? 100 : 0)) {
      const rest = isOne ? '' : `\n\n... and ${left} more: GET /api/v1/alerts`
      return `${(isOne ? entry : text).slice(0, maxLength - rest.length - 1)}${isOne ? '…' : ''}${rest}`
    }
    text = next
  }
  return text
}
