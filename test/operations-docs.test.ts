import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { alertRule } from '@mobilepool/sdk/contract'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const operations = read('docs/operations.md')

test('the runbook has a section for each alert, of the hub and of Prometheus, and for no other', () => {
  const { groups } = parse(read('deploy/prometheus/rules.yml')) as { groups: { rules: { alert?: string }[] }[] }
  const ofPrometheus = groups.flatMap(({ rules }) => rules.flatMap(({ alert = [] }) => alert))
  const headings = [...operations.matchAll(/^### `(.+)`$/gm)].map(([, name]) => name)
  expect(new Set(headings).size).toBe(headings.length)
  expect(new Set(headings)).toEqual(new Set([...alertRule.options, ...ofPrometheus]))
})

test('operations and deployment name only commands that the hub has', () => {
  const hub = join(root, 'packages/hub/bin/mobilepool-hub.js')
  const help = execFileSync(process.execPath, [hub, 'admin', '--help'], { encoding: 'utf8' })
  const named = [...`${operations}${read('docs/deployment.md')}`.matchAll(/(?:mobilepool-hub|hub) admin ([a-z-]+)/g)].map(
    ([, name]) => name,
  )
  expect(new Set(named)).toEqual(new Set(['backup', 'restore', 'rotate-secret', 'create-key']))
  for (const name of named) expect(help).toMatch(new RegExp(`^  ${name} `, 'm'))
})
