import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DeviceLink } from './connect-device.ts'
import { parseEndpoint } from './endpoint.ts'
import { socksHandshake } from './socks-handshake.ts'
import type { HandshakeStep } from './tunnel-handshake.ts'

const link = (url = 'socks5://10.0.0.5'): DeviceLink => ({
  deviceId: 'seoul-01',
  deviceName: 'seoul-01',
  endpoint: parseEndpoint(url),
  proxyTls: {},
  connectTimeoutMs: 1_000,
})

/** Plays a server's bytes to the handshake, as many at a time as the pieces say; returns what was sent and the last step. */
function play(
  url: string,
  hostname: string,
  server: readonly number[],
  pieces: readonly number[] = [],
): { sent: number[][]; last: HandshakeStep; rest: number } {
  const handshake = socksHandshake(link(url), { hostname, port: 443 })
  const sent = [[...handshake.opening]]
  let [received, left, last] = [Buffer.alloc(0), Buffer.from(server), { kind: 'wait' } as HandshakeStep]
  const lengths = [...pieces]
  while (left.length > 0) {
    const length = lengths.shift() ?? left.length
    received = Buffer.concat([received, left.subarray(0, length)])
    left = left.subarray(length)
    for (;;) {
      last = handshake.read(received)
      if (last.kind !== 'send') break
      sent.push([...last.bytes])
      received = received.subarray(last.length)
    }
    if (last.kind !== 'wait') break
  }
  return { sent, last, rest: last.kind === 'open' ? received.length - last.length + left.length : -1 }
}

const YES = [5, 0, 0, 1, 127, 0, 0, 1, 0, 80]
const error = (step: HandshakeStep) => (step.kind === 'failed' ? step.error : undefined)

test.each([
  ['shop.example', [3, 12, ...Buffer.from('shop.example')]],
  ['93.184.216.34', [1, 93, 184, 216, 34]],
  ['::1', [4, ...new Array<number>(15).fill(0), 1]],
  ['2001:db8::a:1', [4, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0, 1]],
  ['::ffff:1.2.3.4', [4, ...new Array<number>(10).fill(0), 255, 255, 1, 2, 3, 4]],
])('the target %s goes out as it is: names are the device’s to resolve', (hostname, address) => {
  const { sent, last } = play('socks5://10.0.0.5', hostname, [5, 0, ...YES])
  expect(sent).toEqual([
    [5, 1, 0],
    [5, 1, 0, ...address, 1, 187],
  ])
  expect(last).toMatchObject({ kind: 'open', length: 10 })
})

test('user and password are sent once they are asked for, whatever bytes they hold', () => {
  const { sent, last } = play('socks5://us%40er:p%3Ass%C3%BC@10.0.0.5', '1.2.3.4', [5, 2, 1, 0, ...YES])
  expect(sent.slice(0, 2)).toEqual([
    [5, 2, 2, 0],
    [1, 5, ...Buffer.from('us@er'), 6, ...Buffer.from('p:ssü')],
  ])
  expect(last.kind).toBe('open')
  expect(play('socks5://user@10.0.0.5', '1.2.3.4', [5, 2, 1, 0]).sent[1]).toEqual([1, 4, ...Buffer.from('user'), 0])
  expect(play('socks5://user:pw@10.0.0.5', '1.2.3.4', [5, 0, ...YES]).last.kind).toBe('open')
})

test('however the bytes are cut, the outcome is the same, and what follows the reply is left for the tunnel', () => {
  const replies = [YES, [5, 0, 0, 3, 3, 102, 111, 111, 0, 80], [5, 0, 0, 4, ...new Array<number>(18).fill(7)]]
  fc.assert(
    fc.property(
      fc.constantFrom(...replies),
      fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 30 }),
      fc.nat(20),
      (reply, pieces, extra) => {
        const { last, rest } = play(
          'socks5://u:p@10.0.0.5',
          'a.example',
          [5, 2, 1, 0, ...reply, ...new Array<number>(extra).fill(5)],
          pieces,
        )
        expect(last.kind).toBe('open')
        expect(rest).toBe(extra)
      },
    ),
  )
})

test.each([
  [1, 'MP_TUNNEL_REFUSED', 'tunnel', undefined],
  [2, 'MP_TUNNEL_REFUSED', 'tunnel', 'EACCES'],
  [3, 'MP_TUNNEL_REFUSED', 'tunnel', 'ENETUNREACH'],
  [4, 'MP_TUNNEL_REFUSED', 'tunnel', 'EHOSTUNREACH'],
  [5, 'MP_TUNNEL_REFUSED', 'tunnel', 'ECONNREFUSED'],
  [6, 'MP_TUNNEL_REFUSED', 'tunnel', 'ETIMEDOUT'],
  [7, 'MP_DEVICE_CONNECT', 'connect', undefined],
  [8, 'MP_TUNNEL_REFUSED', 'tunnel', 'EAFNOSUPPORT'],
  [99, 'MP_TUNNEL_REFUSED', 'tunnel', undefined],
])('reply %i is %s', (code, expected, phase, errno) => {
  const { last } = play('socks5://10.0.0.5', 'a.example', [5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0])
  expect(error(last)).toMatchObject({ code: expected, phase, deviceId: 'seoul-01' })
  expect(error(last)?.errno).toBe(errno)
  expect(play('socks5://10.0.0.5', 'a.example', [5, 0, 5, code]).last.kind).toBe('failed')
})

test.each([
  ['socks5://10.0.0.5', [5, 0xff], 'MP_DEVICE_AUTH', 'wants a user and a password'],
  ['socks5://u:secret@10.0.0.5', [5, 0xff], 'MP_DEVICE_AUTH', 'accepts no user and password'],
  ['socks5://u:secret@10.0.0.5', [5, 2, 1, 1], 'MP_DEVICE_AUTH', 'does not accept the user and password'],
  ['socks5://10.0.0.5', [5, 2], 'MP_DEVICE_CONNECT', 'not SOCKS5'],
  ['socks5://10.0.0.5', [...Buffer.from('HTTP/1.1 400')], 'MP_DEVICE_CONNECT', 'not SOCKS5'],
  ['socks5://u:secret@10.0.0.5', [5, 2, 7, 0], 'MP_DEVICE_CONNECT', 'not SOCKS5'],
  ['socks5://10.0.0.5', [5, 0, 4, 90], 'MP_DEVICE_CONNECT', 'not SOCKS5'],
  ['socks5://10.0.0.5', [5, 0, 5, 0, 0, 9, 0], 'MP_DEVICE_CONNECT', 'not SOCKS5'],
])('%s answered %j fails as %s', (url, server, code, what) => {
  const failure = error(play(url, 'a.example', server).last)
  expect(failure).toMatchObject({ code })
  expect(failure?.message).toContain(what)
  expect(failure?.message).not.toContain('secret')
})

test('a name that SOCKS5 cannot carry is refused before anything is cut off', () => {
  const { last } = play('socks5://10.0.0.5', `${'a'.repeat(256)}.example`, [5, 0])
  expect(error(last)).toMatchObject({ code: 'MP_TUNNEL_REFUSED' })
})
