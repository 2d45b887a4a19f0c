import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type ChannelRecord, openStore, type Store } from '../src/store/index.ts'
import { sampleAlert, sampleMessage, T0 } from './alert-samples.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 })

const SECRET_KEY = 'the operator’s own secret'

const channel = (over: Partial<ChannelRecord> = {}): ChannelRecord => ({
  id: randomUUID(),
  kind: 'slack',
  name: `a channel ${randomUUID()}`,
  source: 'api',
  address: { webhook_url: 'https://hooks.slack.com/services/secret' },
  target: 'hooks.slack.com',
  enabled: true,
  minSeverity: 'info',
  rules: ['device_silent', 'same_ip'],
  disabledReason: null,
  lastSentAt: null,
  lastError: null,
  createdAt: T0,
  updatedAt: T0,
  ...over,
})

function contract(open: () => Promise<Store>) {
  let store: Store
  beforeAll(async () => {
    store = await open()
  })
  afterAll(() => store.close())
  const newChannel = async (over: Partial<ChannelRecord> = {}): Promise<string> => {
    const one = channel(over)
    expect(await store.alertChannels.put(one)).toBe(true)
    return one.id
  }
  const statesOf = async (alertId: string) =>
    (await store.alertDeliveries.ofAlert(alertId)).map(({ channelId, notice, state }) => [channelId, notice, state])

  test('a channel is read as it was written, its address sealed, its name its own', async () => {
    const one = channel({ name: 'ops', lastSentAt: T0, lastError: '500', disabledReason: 'blocked' })
    await store.alertChannels.put(one)
    expect((await store.alertChannels.all()).find(({ id }) => id === one.id)).toEqual(one)
    expect(await store.alertChannels.put(channel({ name: 'ops' }))).toBe(false)
    await store.alertChannels.remove(one.id)
    expect((await store.alertChannels.all()).map(({ id }) => id)).not.toContain(one.id)
  })

  test('settings are kept by key, the latest of each', async () => {
    await store.alertSettings.put(
      new Map<string, unknown>([
        ['same_ip', { threshold: 5 }],
        ['quiet_hours', null],
      ]),
    )
    await store.alertSettings.put(new Map([['same_ip', { threshold: 7 }]]))
    expect(await store.alertSettings.all()).toEqual(
      new Map<string, unknown>([
        ['same_ip', { threshold: 7 }],
        ['quiet_hours', null],
      ]),
    )
  })

  test('of one thing one alert fires at a time: the second is answered with the first', async () => {
    const channelId = await newChannel()
    const first = sampleAlert({ members: [{ id: randomUUID(), name: 'seoul-01' }], value: 0.5 })
    const second = sampleAlert({ subject: first.subject, severity: 'info' })
    const open = (alert: typeof first) =>
      store.alerts.open(alert, { message: { notice: 'firing', alert }, channelIds: [channelId], at: T0 })
    expect(await open(first)).toEqual(first)
    expect(await open(second)).toEqual(first)
    expect(await store.alerts.byId(second.id)).toBeNull()
    expect(await statesOf(first.id)).toEqual([[channelId, 'firing', 'waiting']])
    expect(await store.alerts.firing()).toContainEqual(first)
    await store.alerts.resolve({ ...first, resolvedAt: T0 + 1 }, { notice: 'resolved', alert: first }, T0 + 1)
    expect(await open(second)).toEqual(second)
  })

  test('a recovery goes where the trouble was told, and to nobody else', async () => {
    const [told, untold, sending] = [await newChannel(), await newChannel(), await newChannel()]
    const message = sampleMessage()
    await store.alerts.open(message.alert, { message, channelIds: [told, untold, sending], at: T0 })
    const [due] = await store.alertDeliveries.claim(told, T0, 60_000, 10)
    await store.alertDeliveries.settle([due?.id ?? ''], { state: 'sent', nextAttemptAt: T0, answer: 'ok' }, T0 + 5)
    await store.alertDeliveries.claim(sending, T0, 60_000, 10)
    const over = { ...message.alert, resolvedAt: T0 + 60 }
    expect(await store.alerts.resolve(over, { notice: 'resolved', alert: over }, T0 + 60)).toBe(true)
    expect(await store.alerts.resolve(over, { notice: 'resolved', alert: over }, T0 + 60)).toBe(false)
    const states = await statesOf(message.alert.id)
    expect(states).toHaveLength(5)
    expect(states).toEqual(
      expect.arrayContaining([
        [told, 'firing', 'sent'],
        [told, 'resolved', 'waiting'],
        [untold, 'firing', 'dropped'],
        [sending, 'firing', 'waiting'],
        [sending, 'resolved', 'waiting'],
      ]),
    )
  })

  test('what was being sent when all became well, and failed, is not sent any more, nor its recovery', async () => {
    const channelId = await newChannel()
    const message = sampleMessage()
    await store.alerts.open(message.alert, { message, channelIds: [channelId], at: T0 })
    const [due] = await store.alertDeliveries.claim(channelId, T0, 60_000, 10)
    const over = { ...message.alert, resolvedAt: T0 + 60 }
    await store.alerts.resolve(over, { notice: 'resolved', alert: over }, T0 + 60)
    expect(await store.alertDeliveries.claim(channelId, T0 + 100, 60_000, 10)).toEqual([])
    await store.alertDeliveries.settle([due?.id ?? ''], { state: 'waiting', nextAttemptAt: T0 + 200, answer: '500' }, T0 + 150)
    expect(await store.alertDeliveries.claim(channelId, T0 + 300, 60_000, 10)).toEqual([])
    expect((await statesOf(message.alert.id)).map(([, , state]) => state)).toEqual(['dropped', 'dropped'])
  })

  test('what is claimed is nobody else’s until the lease is over; what waits for later is not due', async () => {
    const channelId = await newChannel()
    const messages = [sampleMessage(), sampleMessage(), sampleMessage()] as const
    for (const [index, message] of messages.entries())
      await store.alerts.open(message.alert, { message, channelIds: [channelId], at: T0 + index * 10 })
    expect(await store.alertDeliveries.dueChannels(T0 - 1)).not.toContain(channelId)
    expect(await store.alertDeliveries.dueChannels(T0)).toContain(channelId)
    const claimed = await store.alertDeliveries.claim(channelId, T0 + 15, 1_000, 10)
    expect(claimed.map(({ message, attempts }) => [message, attempts])).toEqual([
      [messages[0], 0],
      [messages[1], 0],
    ])
    expect(await store.alertDeliveries.claim(channelId, T0 + 16, 1_000, 10)).toEqual([])
    expect(await store.alertDeliveries.dueChannels(T0 + 16)).not.toContain(channelId)
    await store.alertDeliveries.settle([claimed[0]?.id ?? ''], { state: 'waiting', nextAttemptAt: T0 + 5_000, answer: '502 bad' }, T0 + 20)
    await store.alertDeliveries.hold([claimed[1]?.id ?? ''], T0 + 9_000)
    const again = await store.alertDeliveries.claim(channelId, T0 + 6_000, 1_000, 10)
    expect(again.map(({ message, attempts }) => [message.alert.id, attempts])).toEqual([
      [messages[0].alert.id, 1],
      [messages[2].alert.id, 0],
    ])
    await store.alertDeliveries.release(T0 + 6_000)
    expect(await store.alertDeliveries.claim(channelId, T0 + 6_000, 1_000, 10)).toHaveLength(1)
    // An open channel's wait on: whoever took it for closed had not heard yet that it was switched on.
    await store.alertDeliveries.drop(channelId)
    expect(await store.alertDeliveries.dueChannels(T0 + 20_000)).toContain(channelId)
    const one = (await store.alertChannels.all()).find(({ id }) => id === channelId)
    if (one) await store.alertChannels.put({ ...one, enabled: false })
    await store.alertDeliveries.drop(channelId)
    expect(await store.alertDeliveries.claim(channelId, T0 + 60_000, 1_000, 10)).toEqual([])
  })

  test('an alert that is raised replaces what was not told of it yet', async () => {
    const channelId = await newChannel()
    const message = sampleMessage({ severity: 'warning' })
    await store.alerts.open(message.alert, { message, channelIds: [channelId], at: T0 })
    const worse = { ...message.alert, severity: 'critical' as const, value: 100 }
    await store.alerts.change(worse, { message: { notice: 'worse', alert: worse }, channelIds: [channelId], at: T0 + 10 })
    expect(await store.alerts.byId(worse.id)).toEqual(worse)
    expect(await statesOf(worse.id)).toEqual([
      [channelId, 'firing', 'dropped'],
      [channelId, 'worse', 'waiting'],
    ])
  })

  test('it is told again by one hub only, and by none once somebody looks after it', async () => {
    const message = sampleMessage()
    await store.alerts.open(message.alert, { message, channelIds: [], at: T0 })
    const remind = (before: number | null, at: number) =>
      store.alerts.remind({ ...message.alert, remindedAt: at }, before, { message, channelIds: [], at })
    expect(await Promise.all([remind(null, T0 + 10), remind(null, T0 + 11)])).toEqual(expect.arrayContaining([true, false]))
    const { remindedAt } = (await store.alerts.byId(message.alert.id)) ?? { remindedAt: null }
    const by = { by: 'anna', at: T0 + 20, comment: 'on my way' }
    expect(await store.alerts.acknowledge(message.alert.id, by)).toMatchObject({ acknowledged: by })
    expect(await remind(remindedAt, T0 + 30)).toBe(false)
    expect(await store.alerts.acknowledge(randomUUID(), by)).toBeNull()
  })

  test('pages follow each other without a gap or a repetition, and each filter holds', async () => {
    const subject = { kind: 'site', id: 'shop.example', name: 'shop.example' } as const
    const all = []
    for (let index = 0; index < 7; index++) {
      const alert = sampleAlert({
        subject,
        rule: 'ban_storm',
        // Some at the same time: the id decides then.
        startedAt: T0 + Math.floor(index / 3),
        resolvedAt: index === 6 ? null : T0 + 99,
        severity: index % 2 === 0 ? 'critical' : 'warning',
      })
      await store.alerts.open(alert, { message: { notice: 'firing', alert }, channelIds: [], at: T0 })
      all.push(alert)
    }
    const seen: string[] = []
    let after: { startedAt: number; id: string } | undefined
    for (;;) {
      const page = await store.alerts.list({ subject: subject.id, limit: 2, after })
      seen.push(...page.map(({ id }) => id))
      const last = page.at(-1)
      if (page.length < 2 || !last) break
      after = last
    }
    expect(seen).toHaveLength(7)
    expect(new Set(seen)).toEqual(new Set(all.map(({ id }) => id)))
    expect(seen[0]).toBe(all[6]?.id)
    expect(await store.alerts.list({ subject: subject.id, state: 'firing', limit: 10 })).toHaveLength(1)
    expect(await store.alerts.list({ subject: subject.id, state: 'resolved', limit: 10 })).toHaveLength(6)
    expect(await store.alerts.list({ rule: 'ban_storm', severity: 'warning', limit: 10 })).toHaveLength(3)
    await store.alerts.prune(T0 + 100)
    expect(await store.alerts.list({ subject: subject.id, limit: 10 })).toHaveLength(1)
  })

  test('what was sent while the database was away is noted afterwards', async () => {
    const channelId = await newChannel()
    const message = sampleMessage()
    await store.alerts.open(message.alert, { message, channelIds: [], at: T0 })
    await store.alertDeliveries.record(message, channelId, { state: 'sent', nextAttemptAt: T0, answer: '200 ok' }, T0 + 3)
    expect(await store.alertDeliveries.ofAlert(message.alert.id)).toMatchObject([
      { channelId, notice: 'firing', state: 'sent', attempts: 1, sentAt: T0 + 3, answer: '200 ok' },
    ])
  })
}

describe('alerts on the embedded database', () => {
  let dataDir: string
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-alerts-'))
  })
  afterAll(() => rm(dataDir, { recursive: true, force: true }))
  contract(() => openStore({ dataDir, databaseUrl: null, databasePoolSize: 4, secretKey: SECRET_KEY }))
})

describe('alerts on Postgres', () => {
  let postgres: TestPostgres
  let dataDir: string
  beforeAll(async () => {
    postgres = await startPostgres()
    dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-alerts-'))
  })
  afterAll(async () => {
    await postgres.close()
    await rm(dataDir, { recursive: true, force: true })
  })
  contract(async () =>
    openStore({ dataDir, databaseUrl: await postgres.createDatabase('alerts'), databasePoolSize: 4, secretKey: SECRET_KEY }),
  )
})
