import { beforeEach, describe, expect, it } from 'vitest'
import { watch } from 'vue'
import type { Device, LastRotation } from './device.ts'
import { createFleet, type Fleet, type FleetEntry } from './fleet.ts'
import type { FleetEvent } from './read-event.ts'

const T = Date.parse('2026-11-22T10:00:00Z')

const device = (name: string, facts: Partial<Device> = {}): Device => ({
  id: `id of ${name}`,
  name,
  type: 'android',
  status: 'online',
  operator: null,
  region: null,
  exitIp: '127.10.1.1',
  exitIpSince: null,
  ipChanges: 0,
  rotations: { changed: 0, unchanged: 0, failed: 0 },
  lastRotation: null,
  ...facts,
})
const sighting = (name: string, facts: Partial<Device> = {}, lastSeen: number | null = T) => ({ device: device(name, facts), lastSeen })
const deviceEvent = (name: string, facts: Partial<Device> = {}, lastSeen: number | null = T): FleetEvent => ({
  name: 'device',
  sighting: sighting(name, facts, lastSeen),
})
const ended = (outcome: LastRotation['outcome'], endedAt: number): LastRotation => ({
  outcome,
  trigger: 'forced',
  reason: null,
  endedAt,
  durationMs: 9_000,
})

let fleet: Fleet
const entry = (name: string): FleetEntry => {
  const found = fleet.entries.value?.find(({ id }) => id === `id of ${name}`)
  if (!found) throw new Error(`no ${name} in the fleet`)
  return found
}
const names = (): string[] | undefined => fleet.entries.value?.map(({ device }) => device.value.name)

beforeEach(() => {
  fleet = createFleet()
})

describe('the fleet', () => {
  it('is not known before the first snapshot, and empty after an empty one', () => {
    expect(fleet.entries.value).toBeNull()
    fleet.replace([])
    expect(fleet.entries.value).toEqual([])
    fleet.clear()
    expect(fleet.entries.value).toBeNull()
  })

  it('is in the order in which people count', () => {
    fleet.replace(['farm-10', 'farm-9', 'Farm-2', 'busan-03'].map((name) => sighting(name)))
    expect(names()).toEqual(['busan-03', 'Farm-2', 'farm-9', 'farm-10'])
    fleet.apply(deviceEvent('farm-1'))
    expect(names()).toEqual(['busan-03', 'farm-1', 'Farm-2', 'farm-9', 'farm-10'])
  })

  it('keeps the entry of a device that stays, through events and snapshots, so that its row is kept', () => {
    fleet.replace([sighting('seoul-01'), sighting('omsk-05')])
    const before = entry('seoul-01')
    fleet.apply(deviceEvent('seoul-01', { status: 'busy' }))
    fleet.replace([sighting('seoul-01', { operator: 'KT' })])
    expect(entry('seoul-01')).toBe(before)
    expect(names()).toEqual(['seoul-01'])
  })

  it('does not touch the list when only a device inside it changes', () => {
    fleet.replace([sighting('seoul-01')])
    const before = fleet.entries.value
    fleet.apply(deviceEvent('seoul-01', { status: 'offline', exitIp: '127.10.1.2' }))
    expect(fleet.entries.value).toBe(before)
    fleet.apply({ name: 'device', sighting: { ...sighting('seoul-01'), device: { ...device('seoul-01'), name: 'seoul-02' } } })
    expect(fleet.entries.value).not.toBe(before)
  })

  it('draws for a heartbeat only what shows the last sign of life', () => {
    fleet.replace([sighting('seoul-01')])
    const { device, lastSeen } = entry('seoul-01')
    const drawn: string[] = []
    watch(device, () => drawn.push('row'), { flush: 'sync' })
    watch(lastSeen, () => drawn.push('last heartbeat'), { flush: 'sync' })
    fleet.apply({
      name: 'heartbeats',
      seen: [
        { id: 'id of seoul-01', at: T + 60_000 },
        { id: 'nobody', at: T },
      ],
    })
    expect(drawn).toEqual(['last heartbeat'])
  })

  it('never goes back to an older sign of life', () => {
    fleet.replace([sighting('seoul-01', {}, T)])
    fleet.apply({ name: 'heartbeats', seen: [{ id: 'id of seoul-01', at: T - 1 }] })
    fleet.apply(deviceEvent('seoul-01', {}, T - 1))
    fleet.apply(deviceEvent('seoul-01', {}, null))
    expect(entry('seoul-01').lastSeen.value).toBe(T)
  })

  it('forgets a removed device, and bears events about devices that it does not know', () => {
    fleet.replace([sighting('seoul-01')])
    fleet.apply({ name: 'device_removed', id: 'id of seoul-01' })
    fleet.apply({ name: 'device_removed', id: 'id of seoul-01' })
    fleet.apply({ name: 'ip_changed', id: 'id of seoul-01', ip: '127.0.0.2', at: T, isFirst: false })
    fleet.apply({ name: 'rotation', rotation: { ended: false, deviceId: 'id of seoul-01', id: 'r', state: 'queued', startedAt: T } })
    expect(fleet.entries.value).toEqual([])
  })
})

describe('a new exit IP', () => {
  const news: FleetEvent = { name: 'ip_changed', id: 'id of busan-03', ip: '127.10.1.2', at: T + 5, isFirst: false }
  const after = { exitIp: '127.10.1.2', ipChanges: 5 }

  it.each([
    ['its event comes alone', [news]],
    ['its event comes before the device', [news, deviceEvent('busan-03', after)]],
    ['its event comes after the device', [deviceEvent('busan-03', after), news]],
    ['everything comes twice', [news, deviceEvent('busan-03', after), news, deviceEvent('busan-03', after)]],
  ])('counts once and has its age when %s', (_, events) => {
    fleet.replace([sighting('busan-03', { ipChanges: 4, exitIpSince: T - 1_000 })])
    for (const event of events) fleet.apply(event)
    expect(entry('busan-03').device.value).toMatchObject({ exitIp: '127.10.1.2', ipChanges: 5, exitIpSince: T + 5 })
  })

  it('is no change when it is the first', () => {
    fleet.replace([sighting('busan-03', { exitIp: null })])
    fleet.apply({ ...news, isFirst: true })
    expect(entry('busan-03').device.value).toMatchObject({ exitIp: '127.10.1.2', ipChanges: 0 })
  })

  it('has no age where a hub does not tell it and no event did', () => {
    fleet.replace([sighting('busan-03', { exitIpSince: T })])
    fleet.apply(deviceEvent('busan-03', after))
    expect(entry('busan-03').device.value.exitIpSince).toBeNull()
  })
})

describe('a rotation', () => {
  const running = (state: 'queued' | 'verifying'): FleetEvent => ({
    name: 'rotation',
    rotation: { ended: false, deviceId: 'id of busan-03', id: 'r', state, startedAt: T },
  })
  const result = ended('changed', T + 9_000)
  const end: FleetEvent = { name: 'rotation', rotation: { ended: true, deviceId: 'id of busan-03', id: 'r', result } }
  const counted = { rotations: { changed: 3, unchanged: 0, failed: 0 }, lastRotation: result }

  it.each([
    ['its end comes alone', [end]],
    ['its end comes before the device', [end, deviceEvent('busan-03', counted)]],
    ['its end comes after the device', [deviceEvent('busan-03', counted), end]],
  ])('is counted once when %s', (_, events) => {
    fleet.replace([sighting('busan-03', { rotations: { changed: 2, unchanged: 0, failed: 0 }, lastRotation: ended('changed', T - 1) })])
    fleet.apply(running('queued'))
    fleet.apply(running('verifying'))
    expect(entry('busan-03').rotation.value).toEqual({ id: 'r', state: 'verifying', startedAt: T })
    for (const event of events) fleet.apply(event)
    expect(entry('busan-03').rotation.value).toBeNull()
    expect(entry('busan-03').device.value).toMatchObject(counted)
  })

  it('goes on being shown while the device’s own news tell of the one before', () => {
    fleet.replace([sighting('busan-03')])
    fleet.apply(running('queued'))
    fleet.apply(deviceEvent('busan-03', { status: 'rotating', lastRotation: ended('failed', T - 1) }))
    expect(entry('busan-03').rotation.value?.state).toBe('queued')
  })

  it('is not ended by the end of another', () => {
    fleet.replace([sighting('busan-03')])
    fleet.apply(running('queued'))
    fleet.apply({ name: 'rotation', rotation: { ended: true, deviceId: 'id of busan-03', id: 'older', result: ended('failed', T - 1) } })
    expect(entry('busan-03').rotation.value?.id).toBe('r')
  })

  it('survives a snapshot only while the device still rotates', () => {
    fleet.replace([sighting('busan-03', { status: 'rotating' })])
    fleet.apply(running('verifying'))
    fleet.replace([sighting('busan-03', { status: 'rotating' })])
    expect(entry('busan-03').rotation.value?.state).toBe('verifying')
    fleet.replace([sighting('busan-03')])
    expect(entry('busan-03').rotation.value).toBeNull()
  })
})
