import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, type } from 'node:os'

const DOCS = new URL('../../docs/benchmarks.md', import.meta.url)

/** A Markdown table; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`
  return [line(head), `|${head.map((_, index) => (index === 0 ? '---' : '---:')).join('|')}|`, ...rows.map(line)].join('\n')
}

/**
 * Prints the result of a benchmark; with `--write` on the command line it also takes the place of the last one in docs/benchmarks.md,
 * between `<!-- NAME -->` and `<!-- /NAME -->`.
 */
export function report(name: string, result: string): void {
  const text = `${result}\n\n${conditions()}`
  console.log(`\n## ${name}\n\n${text}`)
  if (!process.argv.includes('--write')) return
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const docs = readFileSync(DOCS, 'utf8')
  const [from, to] = [docs.indexOf(start), docs.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no section between ${start} and ${end}`)
  writeFileSync(DOCS, `${docs.slice(0, from + start.length)}\n${text}\n${docs.slice(to)}`)
}

/** Where and when. */
function conditions(): string {
  const processors = cpus()
  const model = processors[0]?.model.trim() ?? 'unknown processor'
  return `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${type()}, ${processors.length} x ${model}.`
}
