import type { AgentHeartbeatJson } from '@mobilepool/sdk/contract'
import fc from 'fast-check'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../test/virtual-clock.ts'
import { AgentError } from './errors.ts'
import { Heartbeat, isNews, nextBeatAt } from './heartbeat.ts'

describe('the time of the next heartbeat', () => {
  test('comes within the interval and always at the same offset', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4e12 }),
        fc.string({ minLength: 1 }),
        fc.integer({ min: 1_000, max: 30_000 }),
        (now, name, everyMs) => {
          const next = nextBeatAt(now, name, everyMs)
          expect(next).toBeGreaterThan(now)
          expect(next - now).toBeLessThanOrEqual(everyMs)
          expect(nextBeatAt(next, name, everyMs)).toBe(next + everyMs)
        },
      ),
    )
  })

  test('is spread over the interval by the names of the devices', () => {
    const offsets = Array.from({ length: 1_000 }, (_, i) => nextBeatAt(0, `phone-${i}`, 10_000))
    const tenths = new Set(offsets.map((offset) => Math.floor(offset / 1_000)))
    expect(tenths.size).toBeGreaterThanOrEqual(10)
  })
})

describe('heartbeats', () => {
  const beat: AgentHeartbeatJson = { agent_version: '0.1.0', proxy_url: null, methods: [] }

  const start = () => {
    const clock = new VirtualClock()
    const lines: string[] = []
    const seen: string[] = []
    const hub: {
      standing: object | null
      said: AgentHeartbeatJson
      beats: number[]
      isDown: boolean
      isRotating: boolean
      onBeat: () => void
    } = {
      standing: null,
      said: beat,
      beats: [],
      isDown: false,
      isRotating: false,
      onBeat: () => {},
    }
    const stop = new AbortController()
    const heartbeat = new Heartbeat({
      clock,
      log: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line).msg) }),
      name: 'seoul-01',
      everyMs: 10_000,
      hub: {
        get standing() {
          return hub.standing
        },
        heartbeat: async () => {
          hub.onBeat()
          if (hub.isDown) throw new AgentError('hub_unreachable', 'down')
          hub.beats.push(clock.now())
          return { name: 'seoul-01', remoteIp: '127.10.1.1', ipChanged: false, timestamp: '' }
        },
      },
      isRotating: () => hub.isRotating,
      compose: async () => hub.said,
      onSeen: (exitIp) => seen.push(exitIp),
    })
    const running = heartbeat.run(stop.signal)
    const end = (): Promise<void> => {
      stop.abort()
      return clock.run(running)
    }
    return { clock, hub, lines, seen, heartbeat, end }
  }

  test('begin at once and go on at the device’s own offset', async () => {
    const { clock, hub, seen, end } = start()
    await clock.advance(35_000)
    const [first = 0, second = 0, ...others] = hub.beats
    expect(first).toBe(Date.UTC(2026, 0, 1))
    expect(second).toBe(nextBeatAt(first, 'seoul-01', 10_000))
    expect(others).toEqual([second + 10_000, second + 20_000])
    expect(seen).toHaveLength(4)
    await end()
    expect(clock.sleeping).toBe(0)
  })

  test('can be hurried', async () => {
    const { clock, hub, heartbeat, end } = start()
    await clock.advance(1)
    heartbeat.beatNow()
    await clock.advance(1)
    expect(hub.beats).toHaveLength(2)
    await end()
  })

  test('are left out while the device is rotating', async () => {
    const { clock, hub, lines, end } = start()
    await clock.advance(1)
    hub.isRotating = true
    await clock.advance(30_000)
    expect({ beats: hub.beats.length, lines }).toEqual({ beats: 1, lines: [] })
    hub.isRotating = false
    await clock.advance(10_000)
    expect(hub.beats).toHaveLength(2)
    await end()
  })

  test('that a beginning rotation cuts are no failure', async () => {
    const { clock, hub, lines, end } = start()
    await clock.advance(1)
    hub.isDown = true
    hub.onBeat = () => {
      hub.isRotating = true
    }
    await clock.advance(10_000)
    expect(lines).toEqual([])
    await end()
  })

  test('that fail are told once, and once more when they reach the hub again', async () => {
    const { clock, hub, lines, end } = start()
    await clock.advance(1)
    hub.isDown = true
    await clock.advance(60_000)
    hub.isDown = false
    await clock.advance(20_000)
    expect(lines).toEqual(['heartbeat failed', 'heartbeats reach the hub again'])
    await end()
  })

  test('with nothing new are sent once in five minutes while a connection to the hub stands, and at once by another connection', async () => {
    const { clock, hub, heartbeat, end } = start()
    hub.standing = {}
    await clock.advance(299_000)
    expect(hub.beats).toHaveLength(1)
    expect(clock.now() - (heartbeat.last?.at ?? 0)).toBeLessThan(10_001)
    await clock.advance(20_000)
    expect(hub.beats).toHaveLength(2)
    hub.standing = {}
    await clock.advance(10_000)
    expect(hub.beats).toHaveLength(3)
    hub.standing = null
    await clock.advance(30_000)
    expect(hub.beats).toHaveLength(6)
    await end()
  })

  test('with news are sent while a connection stands, too, and again when one got lost', async () => {
    const { clock, hub, end } = start()
    hub.standing = {}
    await clock.advance(1_000)
    hub.said = { ...beat, methods: ['airplane_mode'] }
    await clock.advance(10_000)
    expect(hub.beats).toHaveLength(2)
    hub.isDown = true
    hub.said = { ...beat, telemetry: { sim: 'missing' } }
    await clock.advance(10_000)
    hub.isDown = false
    await clock.advance(10_000)
    expect(hub.beats).toHaveLength(3)
    await end()
  })
})

describe('news in a heartbeat', () => {
  const base: AgentHeartbeatJson = {
    agent_version: '0.1.0',
    proxy_url: null,
    methods: ['airplane_mode'],
    telemetry: { operator: 'MTS', network_type: 'LTE', signal: 70, battery: 87, temperature: 31, sim: 'ready' },
  }
  const isNewsAfter = (intervals: number, telemetry: AgentHeartbeatJson['telemetry']): boolean =>
    isNews(base, { ...base, telemetry: { ...base.telemetry, ...telemetry } }, intervals)

  test.each<[string, AgentHeartbeatJson['telemetry'], boolean, boolean]>([
    ['nothing', {}, false, false],
    ['a signal that wavers', { signal: 79 }, false, false],
    ['another signal', { signal: 60 }, false, true],
    ['a battery that empties', { battery: 82 }, false, true],
    ['a device that gets hot', { temperature: 36.5 }, false, true],
    ['another network', { network_type: '5G' }, false, true],
    ['a SIM that is gone', { sim: 'missing' }, true, true],
  ])('%s: at once or after a minute', (_, telemetry, atOnce, later) => {
    expect([isNewsAfter(1, telemetry), isNewsAfter(6, telemetry)]).toEqual([atOnce, later])
  })

  test('is what can be done with the device, at once', () => {
    expect(isNews(base, { ...base, methods: [] }, 1)).toBe(true)
    expect(isNews(base, { ...base, proxy_url: 'http://u:p@127.0.0.1:1' }, 1)).toBe(true)
  })

  test('is a first word of the device', () => {
    const { telemetry: _, ...silent } = base
    expect(isNews(silent, base, 6)).toBe(true)
  })
})
