import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../test/virtual-clock.ts'
import { type UsageBatchJson, usageBatch } from '../../contract/index.ts'
import { MobilePoolError } from '../../errors.ts'
import type { AttemptRecord } from '../../telemetry/channels.ts'
import { HubProblem } from './hub-client.ts'
import { UsageReports, type UsageSettings } from './usage-reports.ts'

const record = (over: Partial<AttemptRecord> = {}): AttemptRecord => ({
  deviceId: '00000000-0000-4000-8000-000000000001',
  device: 'seoul-01',
  exitIp: '127.10.1.1',
  kind: 'answered',
  phase: 'response',
  statusCode: 200,
  durationMs: 12,
  site: 'shop.com',
  host: 'www.shop.com',
  method: 'GET',
  attempt: 1,
  startedAt: 0,
  bytesIn: 5,
  bytesOut: 0,
  session: null,
  ...over,
})
const unreachable = new MobilePoolError('MP_HUB_UNREACHABLE', 'the hub does not answer', { phase: 'hub' })
const problemOf = (status: number): HubProblem =>
  new HubProblem({ type: 'about:blank', title: 'no', status, code: 'bad_request', detail: 'records.0.method must be an HTTP method' })

function reportsTo(answer: (batch: UsageBatchJson) => Error | null, changes: Partial<UsageSettings> = {}) {
  const clock = new VirtualClock()
  const batches: UsageBatchJson[] = []
  const events: unknown[] = []
  const reportUsage = async (batch: UsageBatchJson): Promise<void> => {
    batches.push(batch)
    const error = answer(batch)
    if (error !== null) throw error
  }
  const reports = new UsageReports(
    { flushMs: 5_000, maxBuffered: 10_000, urls: 'host', ...changes },
    {
      client: { reportUsage },
      clock,
      random: () => 1,
      backoff: { firstMs: 1_000, longestMs: 30_000 },
      emit: (name, ...event) => void events.push([name, ...event]),
    },
  )
  const add = (count: number): void => {
    for (let i = 0; i < count; i++) reports.add(record(), '/', false)
  }
  return { clock, batches, events, reports, add }
}

describe('what the hub is told of a target', () => {
  const path = '/private/list?token=s3cret#top'
  test.each([
    ['none', null],
    ['host', 'www.shop.com'],
    ['path', 'www.shop.com/private/list'],
  ] as const)('%s: %s', async (urls, target) => {
    const { clock, batches, reports } = reportsTo(() => null, { urls })
    reports.add(record(), path, false)
    await clock.advance(5_000)
    expect(batches[0]?.records).toMatchObject([{ target, method: 'GET', status: 200, outcome: 'answered', exit_ip: '127.10.1.1' }])
    expect(JSON.stringify(batches)).not.toContain('s3cret')
  })
})

describe('the session of a record', () => {
  test.each([
    ['account-42', 'account-42'],
    ['two\nlines\u0000', 'two lines '],
    ['x'.repeat(150), 'x'.repeat(100)],
    [`${'x'.repeat(99)}\u{1f4f1}`, `${'x'.repeat(99)} `],
  ])('%j is told as %j', async (session, told) => {
    const { clock, batches, reports } = reportsTo(() => null)
    reports.add(record({ session }), '/', false)
    await clock.advance(5_000)
    expect(batches[0]?.records[0]?.session).toBe(told)
    expect(usageBatch.safeParse(batches[0]).error).toBeUndefined()
  })

  test('is left out where there is none', async () => {
    const { clock, batches, reports } = reportsTo(() => null)
    reports.add(record(), '/', false)
    await clock.advance(5_000)
    expect(batches[0]?.records[0]).not.toHaveProperty('session')
  })
})

test('what went through the hub’s gateway is told as such, so that it counts against the quota once', async () => {
  const { clock, batches, reports } = reportsTo(() => null)
  reports.add(record(), '/', true)
  reports.add(record(), '/', false)
  await clock.advance(5_000)
  expect(batches[0]?.records.map(({ through }) => through)).toEqual(['gateway', undefined])
  expect(usageBatch.safeParse(batches[0]).error).toBeUndefined()
})

test('records are gathered for flushMs; 500 go at once', async () => {
  const { clock, batches, reports, add } = reportsTo(() => null)
  add(3)
  await clock.advance(4_999)
  expect(batches).toEqual([])
  await clock.advance(1)
  expect(batches.map(({ records }) => records.length)).toEqual([3])
  add(700)
  await clock.advance(0)
  expect(batches.map(({ records }) => records.length)).toEqual([3, 500])
  await clock.advance(5_000)
  expect(batches.map(({ records }) => records.length)).toEqual([3, 500, 200])
  expect(new Set(batches.map(({ id }) => id)).size).toBe(3)
  expect(reports.stats).toEqual({ sent: 703, waiting: 0, dropped: 0 })
})

test('while the hub is away records wait, bounded; a batch keeps its id; what did not fit is counted and told once', async () => {
  let isAway: boolean = true
  const { clock, batches, events, reports, add } = reportsTo(() => (isAway ? unreachable : null), { maxBuffered: 800 })
  add(500)
  await clock.advance(10_000)
  add(500)
  expect(reports.stats).toEqual({ sent: 0, waiting: 800, dropped: 200 })
  expect(batches.length).toBeGreaterThan(3)
  expect(new Set(batches.map(({ id }) => id)).size).toBe(1)
  isAway = false
  await clock.advance(60_000)
  expect(reports.stats).toEqual({ sent: 800, waiting: 0, dropped: 200 })
  expect(new Set(batches.map(({ id }) => id)).size).toBe(2)
  expect(events).toEqual([['usageDropped', { dropped: 200, reason: expect.stringContaining('maxBuffered') }]])
})

test('a batch that the hub will never take is dropped, and those after it are sent', async () => {
  let answers: (Error | null)[] = [problemOf(400)]
  const { clock, events, reports, add } = reportsTo(() => answers.shift() ?? null)
  add(2)
  await clock.advance(5_000)
  add(3)
  await clock.advance(5_000)
  expect(reports.stats).toEqual({ sent: 3, waiting: 0, dropped: 2 })
  expect(events).toMatchObject([['usageDropped', { dropped: 2 }]])
  answers = [problemOf(503), problemOf(429)]
  add(1)
  await clock.advance(60_000)
  expect(reports.stats).toEqual({ sent: 4, waiting: 0, dropped: 2 })
})

test('a hub that has no such route is not asked again', async () => {
  const { clock, batches, events, add } = reportsTo(() => problemOf(404))
  for (let round = 0; round < 5; round++) {
    add(600)
    await clock.advance(60_000)
  }
  expect(batches).toHaveLength(1)
  expect(events).toHaveLength(1)
})

describe('close', () => {
  test('sends what waits, also what came while a batch was under way', async () => {
    const { clock, reports, add } = reportsTo(() => null)
    add(1_234)
    const closing = reports.close(3_000)
    await clock.advance(0)
    await closing
    expect(reports.stats).toEqual({ sent: 1_234, waiting: 0, dropped: 0 })
    expect(clock.pending).toBe(0)
  })

  test('waits for a hub that is away no longer than its bound, and says what is lost', async () => {
    const { clock, batches, events, reports, add } = reportsTo(() => unreachable)
    add(600)
    await clock.advance(40_000)
    const before = batches.length
    const closing = reports.close(3_000)
    await clock.advance(2_999)
    expect(batches.length - before).toBeGreaterThan(5)
    expect(reports.stats.dropped).toBe(0)
    await clock.advance(1)
    await closing
    expect(reports.stats).toEqual({ sent: 0, waiting: 0, dropped: 600 })
    expect(events).toMatchObject([['usageDropped', { dropped: 600 }]])
    expect(clock.pending).toBe(0)
  })

  test('delivers when the hub comes back in time', async () => {
    let isAway: boolean = true
    const { clock, reports, add } = reportsTo(() => (isAway ? unreachable : null))
    add(5)
    await clock.advance(60_000)
    const closing = reports.close(3_000)
    await clock.advance(1_000)
    isAway = false
    await clock.advance(300)
    await closing
    expect(reports.stats).toEqual({ sent: 5, waiting: 0, dropped: 0 })
  })
})
