import { expect, test } from 'vitest'
import { Device, type DeviceFacts } from './device.ts'
import { LeaseHold } from './lease-hold.ts'
import { Quarantine } from './quarantine.ts'

const facts: DeviceFacts = { id: 'busan-03', name: 'busan-03', weight: 1, tags: [], operator: null, region: null, type: 'generic' }
const quarantine = new Quarantine({ quarantineMs: 1 }, () => new Set())

function busan(): Device {
  const device = new Device(facts, quarantine.exit('10.0.0.1', 0))
  return Object.assign(device, { online: true, exitIp: '10.0.0.1' })
}

const changeIp = (device: Device) => Object.assign(device, { exitIp: '10.0.0.2', exitEpoch: device.exitEpoch + 1 })

const changes: Record<string, (device: Device) => unknown> = {
  nothing: () => {},
  fenced: (device) => Object.assign(device, { rest: { reason: 'fenced', until: 1 } }),
  'rotation announced': (device) => Object.assign(device, { rotating: true }),
  'rotation announced by a hub, which then says that it is not online': (device) =>
    Object.assign(device, { rotating: true, online: false }),
  'another exit IP': changeIp,
  offline: (device) => Object.assign(device, { online: false }),
  ejected: (device) => Object.assign(device, { rest: { reason: 'ejected', until: 1 } }),
}

test.each([
  ['nothing', null, null],
  ['fenced', null, null],
  ['rotation announced', 'rotating', null],
  ['rotation announced by a hub, which then says that it is not online', 'rotating', null],
  ['another exit IP', 'ip_changed', null],
  ['offline', 'offline', 'offline'],
  ['ejected', 'ejected', 'ejected'],
])('%s: a lease that keeps the IP is over by %s, one that follows the device by %s', (what, keeps, follows) => {
  for (const [ip, why] of [
    ['keep', keeps],
    ['follow', follows],
  ] as const) {
    const device = busan()
    const hold = new LeaseHold(device, ip)
    changes[what]?.(device)
    expect(hold.breach).toEqual(why === null ? null : expect.objectContaining({ kind: 'lease_lost', why, device }))
    expect(hold.accepts(device)).toBe(why === null)
    expect(hold.accepts(busan())).toBe(false)
  }
})

test('a lease that is over stays over when its device comes back', () => {
  const device = busan()
  const hold = new LeaseHold(device, 'keep')
  device.rotating = true
  expect(hold.breach).toMatchObject({ why: 'rotating', oldIp: '10.0.0.1' })
  device.rotating = false
  device.exitIp = '10.0.0.2'
  expect(hold.breach).toMatchObject({ why: 'rotating' })
  expect(hold.exitIp).toBe('10.0.0.1')
})

test('rotations of its own change what it is for, not that it is', () => {
  const device = busan()
  const hold = new LeaseHold(device, 'keep')
  hold.beginTurn()
  hold.beginTurn()
  device.rotating = true
  hold.endTurn()
  changeIp(device)
  device.rotating = false
  expect(hold.breach).toBeNull()
  hold.endTurn()
  expect(hold.breach).toBeNull()
  expect(hold.exitIp).toBe('10.0.0.2')
  changeIp(device)
  expect(hold.breach).toMatchObject({ why: 'ip_changed', oldIp: '10.0.0.2' })
})

test('released, it says so, unless it was lost before', () => {
  const device = busan()
  const hold = new LeaseHold(device, 'keep')
  hold.release()
  expect(hold.breach).toMatchObject({ kind: 'lease_released' })
  const lost = new LeaseHold(device, 'keep')
  device.online = false
  expect(lost.accepts(device)).toBe(false)
  lost.release()
  expect(lost.breach).toMatchObject({ kind: 'lease_lost' })
})
