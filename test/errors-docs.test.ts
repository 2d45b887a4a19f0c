import { readFile } from 'node:fs/promises'
import { problems, rotationFailure } from '@mobilepool/sdk/contract'
import { replyStatuses } from '@mobilepool/sdk/proxy-server'
import { expect, test } from 'vitest'
import { ofProblems, ofReplies, ofRotations } from '../scripts/errors/remedies.ts'
import { errorsPage } from '../scripts/errors/render.ts'

test('docs/errors.md is what the registries say (else: npm run errors)', async () => {
  expect(await readFile(new URL('../docs/errors.md', import.meta.url), 'utf8')).toBe(errorsPage())
})

test('no code is missing, and none is told that is no more', () => {
  expect(new Set(Object.keys(ofProblems))).toEqual(new Set(Object.keys(problems)))
  expect(new Set(Object.keys(ofReplies))).toEqual(new Set(Object.keys(replyStatuses)))
  expect(new Set(Object.keys(ofRotations))).toEqual(new Set(rotationFailure.options))
})

test('variables that a cure names exist', async () => {
  const hub = await Promise.all(['hub.md', 'gateway.md'].map((file) => readFile(new URL(`../docs/${file}`, import.meta.url), 'utf8')))
  const named = [...errorsPage().matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)].map(([, name = '']) => name)
  expect(named.length).toBeGreaterThan(5)
  expect(named.filter((name) => !hub.join('\n').includes(`\`${name}\``))).toEqual([])
})
