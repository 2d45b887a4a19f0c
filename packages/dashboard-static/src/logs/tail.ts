import type { LogLine, LogPage } from './logs.ts'

/** Lines that are kept at most; whoever reads further asks more narrowly. */
const MOST = 2_000

/** What is shown of a log: its lines, newest first, and where the next older page begins. */
export interface Tail<Line extends LogLine> {
  readonly lines: readonly Line[]
  readonly next: string | null
}

/**
 * The newest page on top of what is shown. When so much came that the two have no line in common, what is shown is dropped rather than
 * shown with a hole.
 */
export function withNewest<Line extends LogLine>(shown: Tail<Line> | null, page: LogPage<Line>): Tail<Line> {
  if (shown === null || shown.lines.length === 0) return page
  const ids = new Set(page.lines.map(({ id }) => id))
  if (!shown.lines.some(({ id }) => ids.has(id))) return page
  return { lines: [...page.lines, ...shown.lines.filter(({ id }) => !ids.has(id))].slice(0, MOST), next: shown.next }
}

/** An older page below it. */
export function withOlder<Line extends LogLine>(shown: Tail<Line>, page: LogPage<Line>): Tail<Line> {
  const ids = new Set(shown.lines.map(({ id }) => id))
  const lines = [...shown.lines, ...page.lines.filter(({ id }) => !ids.has(id))].slice(0, MOST)
  return { lines, next: lines.length < MOST ? page.next : null }
}
