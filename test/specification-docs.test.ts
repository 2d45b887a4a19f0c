import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

test('docs/specification.md names only files that exist', async () => {
  const text = await readFile(new URL('../docs/specification.md', import.meta.url), 'utf8')
  const files = [...text.matchAll(/`((?:packages|test|docs)\/[^`]+|README\.md)`/g)].map(([, file = '']) => file)
  expect(files.length).toBeGreaterThan(80)
  expect(files.filter((file) => !existsSync(new URL(`../${file}`, import.meta.url)))).toEqual([])
})
