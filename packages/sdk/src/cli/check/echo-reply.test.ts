import { describe, expect, it } from 'vitest'
import { readEchoReply } from './echo-reply.ts'

describe('readEchoReply', () => {
  it.each([
    ['plain text', '203.0.113.7\n', { ip: '203.0.113.7', headers: null }],
    ['the hub', '{"ip":"203.0.113.7"}', { ip: '203.0.113.7', headers: null }],
    ['IPv4 shown as IPv6', '{"ip":"::ffff:203.0.113.7"}', { ip: '203.0.113.7', headers: null }],
    ['IPv6', '2001:db8::7', { ip: '2001:db8::7', headers: null }],
    ['httpbin', '{"origin":"10.0.0.1, 203.0.113.7","headers":{"Via":"1.1 x"}}', { ip: '203.0.113.7', headers: { via: '1.1 x' } }],
    ['ip-api', '{"query":"203.0.113.7"}', { ip: '203.0.113.7', headers: null }],
    ['headers that came twice', '{"ip":"203.0.113.7","headers":{"A":["1","2"]}}', { ip: '203.0.113.7', headers: { a: '1, 2' } }],
  ])('reads %s', (_name, text, reply) => expect(readEchoReply(text)).toEqual(reply))

  it.each(['', '<html>203.0.113.7</html>', '{"ip":"nowhere"}', '[]', '{"ip":7}', '{'])('finds no address in %j', (text) =>
    expect(readEchoReply(text)).toBeUndefined(),
  )
})
