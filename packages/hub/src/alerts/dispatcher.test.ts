import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { sampleMessage, T0 } from '../../test/alert-samples.ts'
import { type FarEnd, type Reply, startFarEnd } from '../../test/far-end.ts'
import { HubError } from '../errors.ts'
import { createDialer } from '../outbound/dialer.ts'
import { createSender } from '../outbound/sender.ts'
import { type AlertMessage, type DeliveryStore, openStore, type Store } from '../store/index.ts'
import { ChannelList } from './channel-list.ts'
import { Dispatcher } from './dispatcher.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })

const S = 1_000
const log = pino({ level: 'silent' })
let dataDir: string
let store: Store
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-dispatcher-'))
  store = await openStore({ dataDir, databaseUrl: null, databasePoolSize: 4, secretKey: 'the operator’s own secret' })
})
afterAll(async () => {
  await store.close()
  await rm(dataDir, { recursive: true, force: true })
})

let now: number
let channels: ChannelList
let dispatcher: Dispatcher
let farEnd: FarEnd
let channelId: string
let quietUntil: number | null
beforeEach(async () => {
  now = T0
  quietUntil = null
  channels = await ChannelList.load({ store: store.alertChannels, log, now: () => now, newId: randomUUID }, [])
  for (const channel of channels.all) await channels.remove(channel)
  farEnd = await startFarEnd({ status: 204 })
  channelId = await addWebhook(farEnd)
  dispatcher = start()
})
afterEach(async () => {
  await dispatcher.close()
  await farEnd.close()
})

const start = (deliveries: DeliveryStore = store.alertDeliveries): Dispatcher =>
  new Dispatcher({
    store: deliveries,
    channels,
    send: createSender({ allowsPrivate: true, userAgent: 'test' }),
    dial: createDialer({ allowsPrivate: true }),
    heldUntil: (_message, at) => (quietUntil !== null && at < quietUntil ? quietUntil : null),
    log,
    now: () => now,
    // No jitter: the middle.
    random: () => 0.5,
  })

async function addWebhook({ url }: FarEnd): Promise<string> {
  const choices = { name: randomUUID(), enabled: true, minSeverity: 'info', rules: null } as const
  const added = await channels.add('webhook', { url, secret: 'a secret of sixteen' }, choices)
  if (!('channel' in added)) throw new Error(added.detail)
  return added.channel.id
}

/** Puts an alert into the outbox. */
async function tell(over: Partial<AlertMessage['alert']> = {}, to = [channelId]): Promise<string> {
  const message = sampleMessage(over)
  await store.alerts.open(message.alert, { message, channelIds: to, at: now })
  return message.alert.id
}
const deliveryOf = async (alertId: string, to = channelId) =>
  (await store.alertDeliveries.ofAlert(alertId)).find((delivery) => delivery.channelId === to)

/** Polls until the notice is as told; the far end is real, the clock is not. */
const until = (alertId: string, expected: object, to = channelId) =>
  vi.waitFor(
    async () => {
      dispatcher.poll()
      expect(await deliveryOf(alertId, to)).toMatchObject(expected)
    },
    { timeout: 20_000, interval: 20 },
  )

test('what waits goes out as one message, signed once, and is noted as sent', async () => {
  const [first, second] = [await tell({ title: 'one' }), await tell({ title: 'two' })]
  await until(first, { state: 'sent', attempts: 1, sentAt: T0, answer: '204' })
  await until(second, { state: 'sent' })
  expect(farEnd.arrived.map(({ json }) => json.notices.map(({ alert }: { alert: { title: string } }) => alert.title))).toEqual([
    ['one', 'two'],
  ])
  expect(channels.find(channelId)).toMatchObject({ lastSentAt: T0, lastError: null })
})

describe('a far end that does not take it', () => {
  test.each<[string, Reply, number]>([
    ['is tried again after ten seconds', { status: 500, body: 'oh no' }, 10 * S],
    ['not before it says so', { status: 429, headers: { 'retry-after': '120' } }, 120 * S],
    ['after an hour, however long it says', { status: 503, headers: { 'retry-after': '86400' } }, 3_600 * S],
    ['sooner than ten seconds never', { status: 429, headers: { 'retry-after': '1' } }, 10 * S],
    ['that hangs up is tried again', 'cut', 10 * S],
  ])('%s', async (_case, reply, afterMs) => {
    farEnd.answer(reply)
    const alert = await tell()
    await until(alert, { state: 'waiting', attempts: 1, nextAttemptAt: T0 + afterMs })
    expect(channels.find(channelId)?.lastError).not.toBeNull()
    farEnd.answer({ status: 204 })
    now = T0 + afterMs - 1
    dispatcher.poll()
    now = T0 + afterMs
    await until(alert, { state: 'sent', attempts: 2, sentAt: now })
    expect(channels.find(channelId)?.lastError).toBeNull()
    const ids = farEnd.arrived.map(({ json }) => json.notices[0].id)
    expect(ids, 'the same notice each time, so that a receiver can tell').toEqual([ids[0], ids[0]])
  })

  test('is given up after ten attempts in two hours and a half', async () => {
    farEnd.answer({ status: 500 })
    const alert = await tell()
    const pauses: number[] = []
    for (let attempts = 1; attempts < 10; attempts++) {
      await until(alert, { state: 'waiting', attempts })
      const next = (await deliveryOf(alert))?.nextAttemptAt ?? 0
      pauses.push((next - now) / S)
      now = next
    }
    await until(alert, { state: 'failed', attempts: 10 })
    expect(pauses).toEqual([10, 30, 60, 120, 300, 600, 1_200, 2_400, 3_600])
  })

  test('for good is switched off, with what waits for it; switched on again it is tried again', async () => {
    farEnd.answer({ status: 410, body: 'gone' })
    const alert = await tell()
    await until(alert, { state: 'failed', attempts: 1 })
    expect(channels.find(channelId)).toMatchObject({ disabledReason: '410 gone' })
    const later = await tell()
    await until(later, { state: 'dropped' })
    const channel = channels.find(channelId)
    if (channel) await channels.change(channel, {}, { enabled: true })
    farEnd.answer({ status: 204 })
    await until(await tell(), { state: 'sent' })
  })

  test('delays no other channel', async () => {
    farEnd.answer('hang')
    const other = await startFarEnd({ status: 204 })
    const otherId = await addWebhook(other)
    const alert = await tell({}, [channelId, otherId])
    await until(alert, { state: 'sent' }, otherId)
    expect(await deliveryOf(alert)).toMatchObject({ state: 'waiting', attempts: 0 })
    await other.close()
  })
})

test('quiet hours hold it until they are over', async () => {
  quietUntil = T0 + 3_600 * S
  const alert = await tell()
  await until(alert, { state: 'waiting', held: true, attempts: 0, nextAttemptAt: quietUntil })
  expect(farEnd.arrived).toEqual([])
  now = quietUntil
  await until(alert, { state: 'sent', held: false, attempts: 1 })
})

test('an attempt that a stop ended counts as none, and the next start makes it', async () => {
  farEnd.answer('hang')
  const alert = await tell()
  dispatcher.poll()
  await farEnd.until(1)
  await dispatcher.close()
  expect(await deliveryOf(alert)).toMatchObject({ state: 'waiting', attempts: 0 })
  dispatcher = start()
  farEnd.answer({ status: 204 })
  // It is left alone for as long as an attempt may take: another hub could be at it.
  now = T0 + 60 * S
  await until(alert, { state: 'sent', attempts: 1 })
})

test('what was sent while the database could not take note is noted later, not sent again', async () => {
  const database: { isDown: boolean } = { isDown: true }
  await dispatcher.close()
  dispatcher = start({
    ...store.alertDeliveries,
    settle: (...args) => (database.isDown ? Promise.reject(new HubError('database_down', 'away')) : store.alertDeliveries.settle(...args)),
  })
  const alert = await tell()
  dispatcher.poll()
  await vi.waitFor(() => expect(channels.find(channelId)?.lastSentAt).toBe(T0), { timeout: 20_000, interval: 10 })
  // Longer than the lease: only its own memory keeps it from sending again.
  now = T0 + 120 * S
  for (let n = 0; n < 5; n++) {
    dispatcher.poll()
    await store.ping()
  }
  database.isDown = false
  await until(alert, { state: 'sent', attempts: 1, sentAt: T0 })
  expect(farEnd.arrived).toHaveLength(1)
})

test('a channel that another hub has made, or has switched on again, keeps what waits for it until it is known here', async () => {
  const channel = channels.find(channelId)
  if (!channel) throw new Error('no channel')
  const elsewhere = { ...channel, id: randomUUID(), name: 'made elsewhere' }
  await store.alertChannels.put(elsewhere)
  channels.note(channelId, { disabledReason: 'blocked' })
  await vi.waitFor(async () => expect((await store.alertChannels.all())[0]).toMatchObject({ disabledReason: 'blocked' }))
  await store.alertChannels.put({ ...channel, disabledReason: null })
  const alert = await tell({}, [channelId, elsewhere.id])
  for (let n = 0; n < 5; n++) {
    dispatcher.poll()
    await store.ping()
  }
  expect([await deliveryOf(alert), await deliveryOf(alert, elsewhere.id)]).toMatchObject([{ state: 'waiting' }, { state: 'waiting' }])
  await channels.reload()
  await until(alert, { state: 'sent' })
  await until(alert, { state: 'sent' }, elsewhere.id)
})

test('a channel that was removed or switched off takes nothing', async () => {
  const channel = channels.find(channelId)
  if (channel) await channels.change(channel, {}, { enabled: false })
  await until(await tell(), { state: 'dropped' })
  expect(farEnd.arrived).toEqual([])
  expect(await dispatcher.sendDirectly(randomUUID(), sampleMessage())).toMatchObject({ state: 'failed', answer: 'the channel is off' })
})

test('past the outbox it says how it went', async () => {
  expect(await dispatcher.sendDirectly(channelId, sampleMessage())).toMatchObject({ state: 'sent', answer: '204' })
  farEnd.answer({ status: 500, body: 'oh no' })
  expect(await dispatcher.sendDirectly(channelId, sampleMessage())).toMatchObject({ state: 'failed', answer: '500 oh no' })
})
