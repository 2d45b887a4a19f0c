import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readConnectReply } from './connect-reply.ts'

const read = (text: string) => readConnectReply(Buffer.from(text, 'latin1'))

test.each([
  ['HTTP/1.1 200 Connection established\r\n\r\n', 200],
  ['HTTP/1.0 200\r\n\r\n', 200],
  ['HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n', 407],
])('%j has status %i', (text, statusCode) => {
  expect(read(text)).toMatchObject({ kind: 'reply', statusCode, length: text.length })
})

test('what follows the head is not part of it; header names are in lower case', () => {
  expect(read('HTTP/1.1 503 Busy\r\nX-MobilePool-Error:  draining \r\nodd line\r\n\r\nrest')).toEqual({
    kind: 'reply',
    statusCode: 503,
    headers: { 'x-mobilepool-error': 'draining' },
    length: 63,
  })
})

test.each([
  '220 smtp ESMTP\r\n',
  'SSH-2.0-OpenSSH',
  '\x16\x03\x01',
  'HTTP/2 200 OK\r\n\r\n',
  'HTTP/1.1 OK\r\n\r\n',
  'HTTP/1.1 2000 OK\r\n\r\n',
])('%j is garbage', (text) => {
  expect(read(text).kind).toBe('garbage')
})

test('a head without end is garbage once it is too long', () => {
  expect(read(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(10_000)}`).kind).toBe('incomplete')
  expect(read(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`).kind).toBe('garbage')
})

test('a reply cut anywhere is incomplete, never misread', () => {
  const whole = 'HTTP/1.1 200 OK\r\nVia: x\r\n\r\n'
  fc.assert(fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (cut) => read(whole.slice(0, cut)).kind === 'incomplete'))
})
