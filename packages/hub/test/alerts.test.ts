import { alert, alertChannelList, alertList, alertRuleList, alertTestReply, alertWithDeliveries, hubEvents } from '@mobilepool/sdk/contract'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { type ScriptedAgent, scriptedAgent, speakFor } from './agent.ts'
import { EventReader } from './event-reader.ts'
import { botApi, type FarEnd, startFarEnd } from './far-end.ts'
import { ADMIN_KEY, startHub, type TestHub } from './hub.ts'
import { secret } from './secrets/trace.ts'

const BOT_TOKEN = secret('987654321:AAverysecretbottokenofthetests-01234')
const HOOK_PATH = '/services/T01/B01/verysecrethookpath'
const SIGNING_SECRET = secret('a very secret signing key')
/** Rules look every 5 s; on a loaded machine that takes its time. */
const SOON = { timeout: 40_000, interval: 100 }

let hub: TestHub
let bot: FarEnd
let agent: ScriptedAgent
let feed: EventReader
beforeAll(async () => {
  bot = await startFarEnd(botApi.ok)
  hub = await startHub({ telegramBotToken: BOT_TOKEN, telegramChatId: '-1001', telegramApiUrl: bot.url, maxDevices: 3 })
  agent = await scriptedAgent(hub, 'busan-03')
  await agent.beat('127.10.3.1')
  feed = new EventReader(`${hub.url}/api/v1/events`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
  await feed.opened
})
afterAll(async () => {
  feed.close()
  await hub.remove()
  await bot.close()
})
afterEach(() => bot.answer(botApi.ok))

const api = (path: string, method = 'GET', body?: unknown) =>
  hub.ask(`/api/v1/alerts${path}`, { method, key: 'admin', ...(body === undefined ? {} : { body }) })
const firing = async (rule: string) => alertList.parse((await api(`?state=firing&rule=${rule}`)).json).alerts
const whole = async (id: string) => alertWithDeliveries.parse((await api(`/${id}`)).json)
const texts = () => bot.arrived.map(({ json }) => String(json.text))

/** A rotation of the agent's device that ends as told. */
async function rotateTo(end: { state: string; reason?: string; old_ip?: string; new_ip?: string }, from: string): Promise<void> {
  const asked = await hub.ask('/api/v1/admin/devices/busan-03/rotate', { method: 'POST', key: 'admin' })
  expect(asked.status).toBe(202)
  const { commands } = (await agent.order(10)).json
  await agent.report(commands[0].id, from, end)
}

describe('a rotation that fails', () => {
  test('is told once, listed and streamed; the next that goes through is told as a recovery', async () => {
    await rotateTo({ state: 'failed', reason: 'no_registration' }, '127.10.3.1')
    const [found] = await vi.waitFor(async () => {
      const alerts = await firing('rotation_failed')
      expect(alerts).toHaveLength(1)
      return alerts
    }, SOON)
    expect(found).toMatchObject({ severity: 'warning', state: 'firing', subject: { kind: 'device', name: 'busan-03' } })
    await vi.waitFor(() => expect(texts()).toHaveLength(1), SOON)
    expect(texts()[0]).toMatch(/^\[WARNING\] busan-03: the rotation failed\n.*no_registration/)

    // Told, and kept over a restart without being told again.
    await vi.waitFor(
      async () => expect((await whole(found?.id ?? '')).deliveries).toMatchObject([{ state: 'sent', answer: '200 ok' }]),
      SOON,
    )
    feed.close()
    hub = await hub.restart()
    feed = new EventReader(`${hub.url}/api/v1/events`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
    await feed.opened
    agent = { ...(await resume(agent)), name: 'busan-03' }
    expect(await firing('rotation_failed')).toEqual([found])

    await rotateTo({ state: 'changed', old_ip: '127.10.3.1', new_ip: '127.10.3.2' }, '127.10.3.2')
    await vi.waitFor(async () => expect(await firing('rotation_failed')).toEqual([]), SOON)
    await vi.waitFor(() => expect(texts()).toHaveLength(2), SOON)
    expect(texts()[1]).toMatch(/^\[RESOLVED\] busan-03: a rotation went through again\n.*It lasted/)
    const { deliveries, ...over } = await whole(found?.id ?? '')
    expect(over).toMatchObject({ state: 'resolved', duration_ms: expect.any(Number) })
    expect(deliveries.map(({ notice, state }) => [notice, state])).toEqual([
      ['firing', 'sent'],
      ['resolved', 'sent'],
    ])
    const told = feed.events.filter(({ name }) => name === 'alert').map(({ data }) => hubEvents.alert.parse(data))
    expect(told).toMatchObject([{ id: found?.id, state: 'resolved' }])
  })
})

describe('a device that keeps its IP', () => {
  test('is told at the third rotation, though the hub was restarted before it', async () => {
    const same = { state: 'unchanged', old_ip: '127.10.3.2', new_ip: '127.10.3.2' }
    await rotateTo(same, '127.10.3.2')
    await rotateTo(same, '127.10.3.2')
    feed.close()
    hub = await hub.restart()
    feed = new EventReader(`${hub.url}/api/v1/events`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
    await feed.opened
    agent = { ...(await resume(agent, '127.10.3.2')), name: 'busan-03' }
    expect(await firing('same_ip')).toEqual([])
    await rotateTo(same, '127.10.3.2')
    await vi.waitFor(
      async () => expect(await firing('same_ip')).toMatchObject([{ value: 3, detail: expect.stringContaining('it is at 127.10.3.2') }]),
      SOON,
    )
    await rotateTo({ state: 'changed', old_ip: '127.10.3.2', new_ip: '127.10.3.4' }, '127.10.3.4')
    await vi.waitFor(async () => expect(await firing('same_ip')).toEqual([]), SOON)
    await rotateTo({ state: 'changed', old_ip: '127.10.3.4', new_ip: '127.10.3.2' }, '127.10.3.2')
  })
})

describe('a limit that is reached', () => {
  test('is an alert that somebody can acknowledge', async () => {
    for (const name of ['seoul-01', 'moscow-07', 'kazan-02'])
      await hub.ask('/api/v1/admin/devices', { method: 'POST', key: 'admin', body: { name } })
    const [found] = await vi.waitFor(async () => {
      const alerts = await firing('limits_exceeded')
      expect(alerts).toHaveLength(1)
      return alerts
    }, SOON)
    expect(found).toMatchObject({ subject: { kind: 'hub', id: 'max_devices' }, detail: expect.stringContaining('MAX_DEVICES') })
    const acked = await api(`/${found?.id}/ack`, 'POST', { comment: 'more are on order' })
    expect(alert.parse(acked.json).acknowledged).toMatchObject({ comment: 'more are on order', by: expect.stringMatching(/./) })
    expect((await whole(found?.id ?? '')).acknowledged).toEqual(acked.json.acknowledged)
    expect((await api('/0190e7a2-0000-7000-8000-000000000001/ack', 'POST')).status).toBe(404)
  })
})

describe('channels', () => {
  test('are made, changed, tested and removed, and never show their secrets', async () => {
    const hook = await startFarEnd({ status: 204 })
    const slack = await startFarEnd({ status: 404, body: 'no_service' })
    const made = await api('/channels', 'POST', {
      kind: 'webhook',
      name: 'ops',
      url: `${hook.url}/in?key=verysecretquery`,
      secret: SIGNING_SECRET,
    })
    expect(made).toMatchObject({ status: 201, json: { name: 'ops', target: hook.url, source: 'api', enabled: true } })
    const other = await api('/channels', 'POST', {
      kind: 'slack',
      name: 'chat',
      webhook_url: slack.url + HOOK_PATH,
      min_severity: 'critical',
    })
    expect((await api('/channels', 'POST', { kind: 'slack', name: 'ops', webhook_url: slack.url })).json).toMatchObject({
      code: 'bad_request',
      errors: [{ field: 'name' }],
    })

    const tried = alertTestReply.parse((await api('/test', 'POST', { channel: 'ops' })).json)
    expect(tried).toMatchObject({ channel: 'ops', ok: true, answer: '204' })
    expect(hook.arrived[0]?.json.notices[0]).toMatchObject({ notice: 'test', alert: { title: expect.stringContaining('test') } })
    expect((await api('/test', 'POST', { channel: other.json.id })).json).toMatchObject({ ok: false, answer: '404 no_service' })
    expect((await api('/test', 'POST', { channel: 'telegram (environment)' })).json).toMatchObject({ ok: true })

    const changed = await api(`/channels/${other.json.id}`, 'PATCH', { name: 'chat room', rules: ['ban_storm'] })
    expect(changed.json).toMatchObject({ name: 'chat room', rules: ['ban_storm'], min_severity: 'critical' })
    expect((await api(`/channels/${other.json.id}`, 'PATCH', { chat_id: '5' })).json).toMatchObject({
      code: 'bad_request',
      detail: 'chat_id does not belong to a slack channel',
    })
    const { channels } = alertChannelList.parse((await api('/channels')).json)
    expect(channels.map(({ name, source, last_error: error }) => [name, source, error])).toEqual([
      ['telegram (environment)', 'environment', null],
      ['ops', 'api', null],
      ['chat room', 'api', '404 no_service'],
    ])
    expect((await api(`/channels/${channels[0]?.id}`, 'DELETE')).json.detail).toContain('environment')
    for (const { id } of channels.slice(1)) expect((await api(`/channels/${id}`, 'DELETE')).status).toBe(204)

    const without = await api('/channels', 'POST', { kind: 'webhook', name: 'made here', url: hook.url })
    expect(without.json.secret).toMatch(/^.{32}$/)
    const shown = (await api('/channels')).text + made.text + tried.answer + changed.text
    for (const secret of ['verysecret', SIGNING_SECRET, without.json.secret, BOT_TOKEN])
      for (const [where, text] of [
        ['an answer', shown],
        ['the log', hub.log()],
      ] as const)
        expect(text, where).not.toContain(secret)
    await api(`/channels/${without.json.id}`, 'DELETE')
    await Promise.all([hook.close(), slack.close()])
  })

  test.each([
    ['a kind that is none', { kind: 'pager', name: 'x' }, 'kind'],
    ['a token that is none', { kind: 'telegram', name: 'x', bot_token: 'abc', chat_id: '1' }, 'bot_token'],
    ['an address that is none', { kind: 'email', name: 'x', smtp_url: 'smtp://127.0.0.1', to: ['nobody'] }, 'to.0'],
    ['a URL of another scheme', { kind: 'webhook', name: 'x', url: 'file:///etc/passwd' }, 'url'],
    ['a short secret', { kind: 'webhook', name: 'x', url: 'http://127.0.0.1', secret: 'short' }, 'secret'],
  ])('with %s are refused by the name of the field', async (_case, body, field) => {
    expect((await api('/channels', 'POST', body)).json).toMatchObject({ code: 'bad_request', errors: [{ field }] })
  })

  test('that blocked the bot are switched off with the reason, and on again by a test that goes through', async () => {
    // A notice of an earlier test that is still on its way would be the one that is refused.
    await vi.waitFor(async () => {
      const { alerts } = alertList.parse((await api('')).json)
      const told = await Promise.all(alerts.map(({ id }) => whole(id)))
      expect(told.flatMap(({ deliveries }) => deliveries).filter(({ state }) => state === 'waiting')).toEqual([])
    }, SOON)
    bot.answer(botApi.no(403, 'Forbidden: bot was blocked by the user'))
    await rotateTo({ state: 'failed', reason: 'sim_missing' }, '127.10.3.2')
    const channel = async () => (await api('/channels')).json.channels[0]
    await vi.waitFor(async () => expect((await channel()).disabled_reason).toBe('403 Forbidden: bot was blocked by the user'), SOON)
    const [found] = await firing('rotation_failed')
    await vi.waitFor(async () => expect((await whole(found?.id ?? '')).deliveries).toMatchObject([{ state: 'failed' }]), SOON)
    bot.answer(botApi.ok)
    expect((await api('/test', 'POST', { channel: 'telegram (environment)' })).json.ok).toBe(true)
    expect(await channel()).toMatchObject({ disabled_reason: null, last_error: null })
  })
})

describe('rules', () => {
  test('are listed with their defaults, changed one by one, and kept over a restart', async () => {
    const before = alertRuleList.parse((await api('/rules')).json)
    expect(before.rules.find(({ rule }) => rule === 'device_silent')).toMatchObject({ threshold: 300, unit: 'seconds', enabled: true })
    expect(before.rules.find(({ rule }) => rule === 'success_rate')).toMatchObject({ threshold: 85, unit: 'percent', minimum: 20 })
    const quiet = { from: '23:00', to: '07:00', time_zone: 'Asia/Seoul', pierced_by: 'critical' }
    const change = { rules: [{ rule: 'same_ip', threshold: 5, quiet_hours: 'hold', reminder: 3600 }], quiet_hours: quiet }
    const after = alertRuleList.parse((await api('/rules', 'PUT', change)).json)
    expect(after.quiet_hours).toEqual(quiet)
    expect(after.rules.filter((rule, index) => JSON.stringify(rule) !== JSON.stringify(before.rules[index]))).toEqual([
      { ...before.rules.find(({ rule }) => rule === 'same_ip'), threshold: 5, quiet_hours: 'hold', reminder: 3600 },
    ])
    feed.close()
    hub = await hub.restart()
    expect((await api('/rules')).json).toEqual(after)
    expect((await api('/rules', 'PUT', { quiet_hours: null })).json.quiet_hours).toBeNull()
  })

  test.each([
    ['a threshold beyond its bounds', { rules: [{ rule: 'success_rate', threshold: 850 }] }, 'rules.0.threshold'],
    ['a window where nothing is looked back at', { rules: [{ rule: 'low_battery', window: 60 }] }, 'rules.0.window'],
    ['a time zone that is none', { quiet_hours: { from: '22:00', to: '07:00', time_zone: 'Mars/Olympus' } }, 'quiet_hours.time_zone'],
    ['a time that is none', { quiet_hours: { from: '24:00', to: '07:00', time_zone: 'UTC' } }, 'quiet_hours.from'],
    ['a rule that is none', { rules: [{ rule: 'moon_phase' }] }, 'rules.0.rule'],
  ])('with %s are refused by the name of the field', async (_case, body, field) => {
    expect((await api('/rules', 'PUT', body)).json).toMatchObject({ code: 'bad_request', errors: [{ field }] })
  })
})

test('the list says where its next page begins, and refuses a place that is none', async () => {
  const first = alertList.parse((await api('?limit=1')).json)
  expect(first.next).not.toBeNull()
  const second = alertList.parse((await api(`?limit=1&after=${first.next}`)).json)
  expect(second.alerts).toHaveLength(1)
  expect(second.alerts[0]?.id).not.toBe(first.alerts[0]?.id)
  expect(
    (await api('?subject=busan-03')).json.alerts.every(({ subject }: { subject: { name: string } }) => subject.name === 'busan-03'),
  ).toBe(true)
  expect((await api('?after=yesterday')).json).toMatchObject({ code: 'bad_request', errors: [{ field: 'after' }] })
})

/** The same agent, at the hub that runs now. */
async function resume({ key }: ScriptedAgent, ip = '127.10.3.1'): Promise<Omit<ScriptedAgent, 'name'>> {
  const spoken = { key, ...speakFor(() => hub, key) }
  await spoken.beat(ip)
  return spoken
}
