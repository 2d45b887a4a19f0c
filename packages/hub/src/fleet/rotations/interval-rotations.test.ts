import pino from 'pino'
import { expect, test } from 'vitest'
import { T0 } from '../../../test/records.ts'
import { type Device, newPendingDevice } from '../device.ts'
import { IntervalRotations } from './interval-rotations.ts'

const device = (name: string, over: Partial<Device> = {}): Device => ({
  ...newPendingDevice(name, name, T0, { rotationInterval: 600, requestsPerMinute: null }),
  kind: 'agent',
  methods: ['airplane_mode'],
  adoptedAt: T0,
  lastHeartbeat: T0,
  ...over,
})

/** Looks once a second; whoever is asked for has rotated at once, or is refused for a minute. */
async function run(devices: Device[], seconds: number, { grace = 0, random = 0.5, refuses = false, offline = new Set<string>() } = {}) {
  let now = T0
  const asked: { name: string; at: number }[] = []
  const intervals = new IntervalRotations({
    fleet: { all: devices, status: ({ name }) => (offline.has(name) ? 'offline' : 'online') },
    request: async (due) =>
      due.map((one) => {
        asked.push({ name: one.name, at: (now - T0) / 1000 })
        if (refuses) return { code: 'rotation_too_soon' as const, detail: '', retryAfter: 60 }
        one.lastRotation = { outcome: 'changed', trigger: 'interval', reason: null, endedAt: now, durationMs: 0 }
        return { code: 'rotation_running' as const, detail: 'ended already' }
      }),
    log: pino({ level: 'silent' }),
    now: () => now,
    random: () => random,
    startGraceMs: grace * 1000,
  })
  for (let second = 0; second < seconds; second += 1) {
    now = T0 + second * 1000
    intervals.tick()
    await Promise.resolve()
    await Promise.resolve()
  }
  return asked
}

test('a device begins somewhere in its interval, and then rotates once an interval', async () => {
  expect(await run([device('busan-03')], 1_800)).toEqual([
    { name: 'busan-03', at: 450 },
    { name: 'busan-03', at: 1_050 },
    { name: 'busan-03', at: 1_650 },
  ])
})

test.each([
  [0, [300, 840, 1_380]],
  [0.999, [600, 1_260]],
])('intervals differ by a tenth (random %d)', async (random, times) => {
  const asked = await run([device('busan-03')], 1_800, { random })
  for (const [n, { at }] of asked.entries()) expect(Math.abs(at - (times[n] ?? 0))).toBeLessThan(3)
  expect(asked).toHaveLength(times.length)
})

test.each([
  ['switched off', device('d', { autoRotation: false })],
  ['in maintenance', device('d', { maintenance: true })],
  ['pending', device('d', { adoptedAt: null })],
  ['without a way to rotate', device('d', { methods: [] })],
  ['without a sign of life and without a URL', device('d', { lastHeartbeat: null })],
])('a device %s does not rotate', async (_case, of) => {
  expect(await run([of], 1_200)).toEqual([])
})

test('a device that is offline is not asked for, one that never sends heartbeats but has a URL is', async () => {
  const silent = device('silent')
  const url = device('url', { kind: 'bare', methods: [], lastHeartbeat: null, rotationUrl: 'http://127.0.0.1/x' })
  expect((await run([silent, url], 500, { offline: new Set(['silent', 'url']) })).map(({ name }) => name)).toEqual(['url'])
})

test('after a start nothing begins within the grace, and what was overdue is spread', async () => {
  const overdue = device('a', { adoptedAt: T0 - 86_400_000 })
  expect(await run([overdue], 400, { grace: 180, random: 0.1 })).toEqual([{ name: 'a', at: 210 }])
})

test('a refusal is asked again when it says, not every second', async () => {
  expect((await run([device('a')], 600, { refuses: true })).map(({ at }) => at)).toEqual([450, 510, 570])
})

test('a fleet that is due at once is asked for by the hundred', async () => {
  const fleet = Array.from({ length: 250 }, (_, n) => device(`d-${n}`))
  const asked = await run(fleet, 454)
  expect([450, 451, 452, 453].map((second) => asked.filter(({ at }) => at === second).length)).toEqual([100, 100, 50, 0])
})
