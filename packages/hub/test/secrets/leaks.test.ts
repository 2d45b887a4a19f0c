import { describe, expect, test } from 'vitest'
import { findLeaks } from './leaks.ts'
import type { Traced } from './trace.ts'

const SECRET: Traced = { kind: 'secret', value: 'hunter2-hunter2' }
const KEY = `mp_${'k'.repeat(43)}`
const answer = (method: string, path: string, text: string): Traced => ({ kind: 'answer', method, path, text })

describe('the check of secrets over the whole suite', () => {
  test.each<[string, Traced, RegExp]>([
    ['a secret of a test in a log line', { kind: 'log', text: 'fine\n{"url":"http://u:hunter2-hunter2@h"}\n' }, /the log: .*\*\*\*/],
    ['a secret of a test in an answer', answer('GET', '/api/v1/config', '{"a":"hunter2-hunter2"}'), /GET \/api\/v1\/config/],
    ['a key that the hub made, in a log line', { kind: 'log', text: `key ${KEY}` }, /the log/],
    ['a key in the list of keys', answer('GET', '/api/v1/keys', KEY), /GET \/api\/v1\/keys/],
    ['an access token in a log line', { kind: 'log', text: `eyJ${'a'.repeat(20)}.${'b'.repeat(20)}.${'c'.repeat(20)}` }, /the log/],
  ])('finds %s', (_case, entry, where) => {
    const leaks = findLeaks([entry, SECRET])
    expect(leaks).toHaveLength(1)
    expect(leaks[0]).toMatch(where)
    expect(leaks[0]).not.toContain('hunter2-hunter2')
  })

  test('lets answers pass whose purpose is to show a secret once', () => {
    const shown = [
      answer('POST', '/api/v1/keys', KEY),
      answer('POST', '/api/v1/agents/enroll', KEY),
      answer('POST', '/api/v1/admin/devices/busan-03/rotation-links', 'hunter2-hunter2'),
    ]
    expect(findLeaks([SECRET, ...shown, { kind: 'log', text: 'nothing' }])).toEqual([])
  })
})
