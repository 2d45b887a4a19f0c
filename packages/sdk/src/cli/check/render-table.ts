import type { Observation, Verdict, WayThrough } from './observation.ts'

const HEAD = ['PROXY', '', 'EXIT IP', 'CONNECT', '1ST BYTE', 'TUNNEL', 'ABSOLUTE', 'HEADERS']

/** Reports as a table for people, with what is wrong or worth knowing beneath each line. */
export function renderTable(reports: readonly { seen: Observation; verdict: Verdict }[]): string {
  const rows = reports.map(({ seen, verdict }) => [
    seen.proxy,
    verdict.problems.length === 0 ? 'ok' : 'FAILS',
    seen.exitIp ?? '-',
    duration(seen.latency.connectMs),
    duration(seen.latency.firstByteMs),
    word(seen.connect),
    word(seen.absoluteForm),
    seen.addedHeaders === null ? '-' : seen.addedHeaders.length === 0 ? 'none' : `+${seen.addedHeaders.length}`,
  ])
  const widths = HEAD.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  const lines = [line(HEAD)]
  for (const [index, row] of rows.entries()) {
    lines.push(line(row))
    const { problems = [], hints = [] } = reports[index]?.verdict ?? {}
    for (const { text } of problems) lines.push(`    problem: ${text}`)
    for (const { text } of hints) lines.push(`    note: ${text}`)
    for (const { target, isOpen, durationMs } of reports[index]?.seen.targets ?? [])
      if (isOpen) lines.push(`    tunnel to ${target}: open after ${durationMs} ms`)
  }
  return `${lines.join('\n')}\n`
}

const duration = (ms: number | null): string => (ms === null ? '-' : `${ms} ms`)

const word = (way: WayThrough): string => ({ works: 'yes', failed: 'no', not_checked: '-' })[way.kind]
