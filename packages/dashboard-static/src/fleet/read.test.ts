import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readDevice, readRotation } from './read-device.ts'
import { readEvent } from './read-event.ts'
import { readSnapshot } from './read-snapshot.ts'

const at = '2026-11-22T10:00:00.000Z'
const ms = Date.parse(at)

const shared = {
  id: '3f8b1c1e-7a55-4c1c-9b1d-0d5a4a9f6c01',
  name: 'busan-03',
  kind: 'agent',
  device_type: 'usb_modem',
  status: 'rotating',
  ip_since: at,
  operator: 'KT',
  region: 'Busan',
  ip_changes: 7,
  rotations: { changed: 6, unchanged: 1, failed: 0 },
  last_rotation: { outcome: 'changed', trigger: 'ban', reason: null, ended_at: at, duration_ms: 8_400 },
  created_at: at,
}
const publicLine = { ...shared, remote_ip: '127.10.3.1', last_seen: at }
const wholeDevice = {
  ...shared,
  exit_ip: '127.10.3.1',
  last_heartbeat: at,
  proxy_url: 'http://user:hunter2@10.0.0.5:8080',
  tags: ['rack-9'],
  weight: 1,
}

/** Any JSON, and objects that have the contract's field names with anything in them. */
const anyJson = fc.oneof(
  fc.jsonValue(),
  fc.record(Object.fromEntries(Object.keys({ ...publicLine, ...wholeDevice }).map((key) => [key, fc.jsonValue()])), { requiredKeys: [] }),
  fc.record({ id: fc.string(), name: fc.string(), rotations: fc.jsonValue(), last_rotation: fc.jsonValue() }),
)

describe('reading a device', () => {
  it('makes the same of the public line and of the whole device', () => {
    expect(readDevice(wholeDevice)).toEqual(readDevice(publicLine))
    expect(readDevice(publicLine)).toEqual({
      lastSeen: ms,
      device: {
        id: shared.id,
        name: 'busan-03',
        type: 'usb_modem',
        status: 'rotating',
        operator: 'KT',
        region: 'Busan',
        exitIp: '127.10.3.1',
        exitIpSince: ms,
        ipChanges: 7,
        rotations: { changed: 6, unchanged: 1, failed: 0 },
        lastRotation: { outcome: 'changed', trigger: 'ban', reason: null, endedAt: ms, durationMs: 8_400 },
      },
    })
  })

  it('takes nothing of the way to the proxy', () => {
    expect(JSON.stringify(readDevice(wholeDevice))).not.toContain('hunter2')
  })

  it.each([
    ['a status of a newer hub', { status: 'sleeping' }, { status: 'unknown' }],
    ['a type of a newer hub', { device_type: 'satellite' }, { type: 'generic' }],
    ['no age of the address', { ip_since: undefined }, { exitIpSince: null }],
    ['an address that is none', { remote_ip: 'evil.example' }, { exitIp: null }],
    ['a count that is none', { ip_changes: -1 }, { ipChanges: 0 }],
    ['no counts', { rotations: null }, { rotations: { changed: 0, unchanged: 0, failed: 0 } }],
    ['an outcome that is none', { last_rotation: { ...shared.last_rotation, outcome: 'toString' } }, { lastRotation: null }],
    ['control characters in a label', { operator: 'M\u0000T\nS\u007f' }, { operator: 'MTS' }],
  ])('bears %s', (_, odd, expected) => {
    expect(readDevice({ ...publicLine, ...odd })?.device).toMatchObject(expected)
  })

  it.each([[null], [undefined], [7], ['x'], [[]], [{}], [{ id: shared.id }], [{ id: shared.id, name: '' }], [{ id: 7, name: 'x' }]])(
    '%j is none',
    (json) => {
      expect(readDevice(json)).toBeNull()
    },
  )
})

describe('reading a rotation', () => {
  const rotation = {
    id: 'r',
    device_id: 'd',
    state: 'draining',
    trigger: 'forced',
    reason: null,
    created_at: at,
    ended_at: null,
    duration_ms: null,
  }

  it('tells one under way from one that has ended', () => {
    expect(readRotation(rotation)).toEqual({ ended: false, id: 'r', deviceId: 'd', state: 'draining', startedAt: ms })
    const end = { state: 'failed', reason: 'stuck_offline', ended_at: at, duration_ms: 90_000 }
    expect(readRotation({ ...rotation, ...end })).toEqual({
      ended: true,
      id: 'r',
      deviceId: 'd',
      result: { outcome: 'failed', trigger: 'forced', reason: 'stuck_offline', endedAt: ms, durationMs: 90_000 },
    })
  })

  it.each([['id'], ['device_id'], ['state'], ['created_at']])('is none without %s', (field) => {
    expect(readRotation({ ...rotation, [field]: null })).toBeNull()
  })
})

describe('reading what a hub sends', () => {
  it('never throws, whatever it is', () => {
    const name = fc.oneof(
      fc.constantFrom('device', 'device_removed', 'heartbeats', 'ip_changed', 'rotation', 'reset', '__proto__', 'constructor'),
      fc.string(),
    )
    fc.assert(
      fc.property(name, anyJson, fc.string(), (event, json, text) => {
        readEvent(event, JSON.stringify(json))
        readEvent(event, text)
        readSnapshot(json)
        readSnapshot({ proxies: [json, publicLine], last_event_id: json, timestamp: json })
      }),
      { numRuns: 2000 },
    )
  })

  it('shows what it can read of a snapshot', () => {
    const snapshot = readSnapshot({ total: 3, proxies: [null, publicLine, { name: 'no id' }], timestamp: at, last_event_id: 'a-7' })
    expect(snapshot?.sightings.map(({ device }) => device.name)).toEqual(['busan-03'])
    expect(snapshot).toMatchObject({ lastEventId: 'a-7', hubTime: ms })
    expect(readSnapshot({ proxies: [] })).toEqual({ sightings: [], lastEventId: '', hubTime: null })
  })

  it.each([[null], ['x'], [[]], [{}], [{ proxies: {} }]])('knows that %j is no snapshot', (json) => {
    expect(readSnapshot(json)).toBeNull()
  })

  it('knows no event of a name that the contract has not', () => {
    expect(readEvent('reset', '{}')).toBeNull()
    expect(readEvent(undefined, '{}')).toBeNull()
    expect(readEvent('toString', '{}')).toBeNull()
  })

  it('leaves out of a list of heartbeats the ones that it cannot read', () => {
    const devices = [{ id: 'a', last_seen: at }, { id: 'b', last_seen: 'soon' }, null, { last_seen: at }]
    expect(readEvent('heartbeats', JSON.stringify({ devices }))).toEqual({ name: 'heartbeats', seen: [{ id: 'a', at: ms }] })
  })
})
