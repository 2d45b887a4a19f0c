import { expect, test } from 'vitest'
import { Device } from './device.ts'
import { Sessions } from './sessions.ts'

const settings = { onIpChange: 'follow', ttlMs: 100 } as const

const deviceOf = (): Device => {
  const facts = { id: 'seoul-01', name: 'seoul-01', weight: 1, tags: [], operator: null, region: null, type: 'generic' }
  return new Device(facts, Object.create(null))
}

test('a session ends when it was not used for its time, and its device is told once', () => {
  const ended: Device[] = []
  const sessions = new Sessions(10, (device) => ended.push(device))
  const session = sessions.use('a', settings, 0)
  const device = deviceOf()
  session.taken(device)
  expect(sessions.use('a', settings, 99)).toBe(session)
  expect(sessions.find('a', 198)).toBe(session)
  expect(sessions.find('a', 199)).toBeUndefined()
  sessions.expire(198)
  expect(ended).toEqual([])
  sessions.expire(199)
  sessions.expire(500)
  expect(ended).toEqual([device])
  expect(sessions.use('a', settings, 500)).not.toBe(session)
})

test('one that lives longer does not make others live longer', () => {
  const sessions = new Sessions(10, () => {})
  sessions.use('long', { ...settings, ttlMs: 1_000 }, 0)
  const short = sessions.use('short', settings, 1)
  expect(sessions.find('short', 101)).toBeUndefined()
  expect(sessions.use('short', settings, 101)).not.toBe(short)
})

test('beyond the bound the one unused for longest goes', () => {
  const sessions = new Sessions(2, () => {})
  const a = sessions.use('a', settings, 0)
  sessions.use('b', settings, 1)
  sessions.use('a', settings, 2)
  sessions.use('c', settings, 3)
  expect(sessions.size).toBe(2)
  expect(sessions.find('b', 3)).toBeUndefined()
  expect(sessions.find('a', 3)).toBe(a)
  expect(sessions.end('nobody')).toBe(false)
})

test('a session waits for its device where that is away for a moment only, and leaves it where it is away', () => {
  const [device, other] = [deviceOf(), deviceOf()]
  const session = new Sessions(10, () => {}).use('a', settings, 0)
  session.taken(device)
  device.returning = true
  expect(session.accepts(other)).toBe(false)
  device.returning = false
  expect(session.accepts(other)).toBe(true)
})
