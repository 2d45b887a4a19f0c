import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { findLeaks } from './leaks.ts'
import { TRACE_FOLDER, type Traced } from './trace.ts'

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

test('every answer of a hub in a test’s process is looked at, by whatever client it was asked, streams too', async () => {
  const server = createServer((_request, reply) => {
    reply.setHeader('x-request-id', 'in the head').write('first piece, ')
    reply.end(Buffer.from('last piece'))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const reply = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/streamed?of=two`)
  expect(await reply.text()).toBe('first piece, last piece')
  server.close()
  const noted = readFileSync(join(process.env[TRACE_FOLDER] ?? '', `${process.pid}.ndjson`), 'utf8').split('\n')
  const answers = noted.filter((line) => line.includes('"/streamed"')).map((line) => JSON.parse(line) as Traced)
  expect(answers).toEqual([
    { kind: 'answer', method: 'GET', path: '/streamed', text: '{"x-request-id":"in the head"}\nfirst piece, ' },
    { kind: 'answer', method: 'GET', path: '/streamed', text: 'last piece' },
  ])
})
