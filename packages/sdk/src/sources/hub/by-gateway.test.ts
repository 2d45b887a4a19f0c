import { expect, test } from 'vitest'
import { byGateway } from './by-gateway.ts'

const token = 'mp_key'

test.each([
  [
    'named by the hub',
    'http://device-1@gate.example:8080',
    'https://hub.example:3001',
    'http://device-1-reports-own:mp_key@gate.example:8080',
  ],
  [
    'on loopback, like the hub',
    'http://device-1@127.0.0.1:8080',
    'http://127.0.0.1:3001',
    'http://device-1-reports-own:mp_key@127.0.0.1:8080',
  ],
  [
    'said to be on loopback by a hub elsewhere',
    'http://device-1@127.0.0.1:8080',
    'http://10.1.2.3:3001',
    'http://device-1-reports-own:mp_key@10.1.2.3:8080',
  ],
  ['the same in IPv6', 'http://device-1@[::1]:8080', 'http://[2001:db8::1]:3001', 'http://device-1-reports-own:mp_key@[2001:db8::1]:8080'],
  ['with TLS', 'https://device-1@gate.example:8443', 'https://hub.example', 'https://device-1-reports-own:mp_key@gate.example:8443'],
])('a gateway %s is reached there, with the key of the pool', (_where, gatewayUrl, hub, expected) => {
  expect(byGateway(gatewayUrl, { url: new URL(hub), token })).toBe(expected)
})

test('what a key may hold is told to the gateway unharmed', () => {
  const proxyUrl = byGateway('http://device-1@127.0.0.1:8080', { url: new URL('http://127.0.0.1:3001'), token: 'a/b@c:d%' }) ?? ''
  expect(decodeURIComponent(new URL(proxyUrl).password)).toBe('a/b@c:d%')
})

test('without a key there is no way through the gateway', () => {
  expect(byGateway('http://device-1@127.0.0.1:8080', { url: new URL('http://127.0.0.1:3001'), token: undefined })).toBe(null)
})
