import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const text = readFileSync(join(root, 'docs/security.md'), 'utf8')

/** Rows of the tables "threat, control, shown by". */
const claims = [...text.matchAll(/^\| (?<threat>[^|]+) \| [^|]+ \| `(?<file>[^`]+\.test\.ts)`(?:: (?<title>[^|]+))? \|$/gm)].map(
  ({ groups }) => groups as { threat: string; file: string; title?: string },
)

it('has a test for each threat, and no row without one', () => {
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && /^\| [a-z]/.test(line) && line.split('|').length === 5)
  const threats = rows.filter((line) => !/^\| (threat|the|keys|who fetched) /.test(line))
  expect(claims.length).toBeGreaterThan(35)
  expect(threats.filter((line) => !claims.some(({ threat }) => line.startsWith(`| ${threat} |`)))).toEqual([])
})

it.each(claims)('$threat: $file', ({ file, title }) => {
  expect(existsSync(join(root, file)), `${file} is not there`).toBe(true)
  // Titles have typographic apostrophes, and may be broken over lines by the formatter.
  if (title !== undefined) expect(readFileSync(join(root, file), 'utf8')).toContain(title)
})
