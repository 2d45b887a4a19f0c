import { expect, test } from 'vitest'
import { announcedUrlOf, proxyUrlOf } from './local-proxy.ts'

const identity = { deviceId: 'x', name: 'seoul-01', deviceKey: 'k', proxyUsername: 'parser', proxyPassword: 'pw' }

test.each([
  [{ host: '127.0.0.1', port: 4000 }, undefined, 'http://parser:pw@127.0.0.1:4000'],
  [{ host: '::1', port: 4000 }, undefined, 'http://parser:pw@[::1]:4000'],
  [{ host: '0.0.0.0', port: 4000 }, 'farm.example', 'http://parser:pw@farm.example:4000'],
  [{ host: '0.0.0.0', port: 4000 }, 'farm.example:5000', 'http://parser:pw@farm.example:5000'],
  [{ host: '127.0.0.1', port: 4000 }, 'none', 'http://parser:pw@127.0.0.1:4000'],
  [{ host: '::', port: 4000 }, '[2001:db8::1]', 'http://parser:pw@[2001:db8::1]:4000'],
])('listening on %j and advertised as %s, the proxy is reached at %s', (listening, advertise, expected) => {
  expect(proxyUrlOf(listening, advertise, identity)).toBe(expected)
})

test.each([
  ['http://parser:pw@127.0.0.1:4000', undefined, 'http://127.0.0.1:3001', true],
  ['http://parser:pw@127.0.0.1:4000', undefined, 'http://localhost:3001', true],
  ['http://parser:pw@127.0.0.1:4000', undefined, 'https://hub.example', false],
  ['http://parser:pw@[::1]:4000', undefined, 'https://hub.example', false],
  ['http://parser:pw@10.0.0.5:4000', undefined, 'https://hub.example', true],
  ['http://parser:pw@farm.example:4000', 'farm.example', 'https://hub.example', true],
  ['http://parser:pw@10.0.0.5:4000', 'none', 'https://hub.example', false],
  ['http://parser:pw@127.0.0.1:4000', 'none', 'http://127.0.0.1:3001', false],
])('%s, advertised as %s, is announced to the hub at %s: %s', (proxyUrl, advertise, hub, isAnnounced) => {
  expect(announcedUrlOf(proxyUrl, { advertise, hub })).toBe(isAnnounced ? proxyUrl : null)
})
