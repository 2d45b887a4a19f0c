import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sampleNotice } from '../../../test/alert-samples.ts'
import { botApi, type FarEnd, type Reply, startFarEnd } from '../../../test/far-end.ts'
import { createDialer } from '../../outbound/dialer.ts'
import { createSender } from '../../outbound/sender.ts'
import { telegram } from './telegram.ts'

const TOKEN = '123456789:AAExampleTokenOfTheTests-0123456789'
const send = createSender({ allowsPrivate: true, userAgent: 'test' })
const tools = { send, dial: createDialer({ allowsPrivate: true }), now: Date.now, signal: new AbortController().signal }

let api: FarEnd
beforeAll(async () => {
  api = await startFarEnd(botApi.ok)
})
afterAll(() => api.close())
beforeEach(() => api.answer(botApi.ok))
afterEach(() => void api.arrived.splice(0))

const deliver = (over: object = {}, notices = [sampleNotice()]) =>
  telegram.deliver({ bot_token: TOKEN, chat_id: '-1001234567890', api_url: api.url, ...over }, notices, tools)

test('a notice is sent as the Bot API wants it, to the chat and topic', async () => {
  expect(await deliver({ thread_id: 7, api_url: `${api.url}/` })).toEqual({ outcome: 'sent', answer: '200 ok' })
  expect(api.arrived).toMatchObject([
    {
      method: 'POST',
      path: `/bot${TOKEN}/sendMessage`,
      json: {
        chat_id: '-1001234567890',
        message_thread_id: 7,
        text: '[CRITICAL] kazan-02 is silent\nNot heard for 5 min; last heard 2026-11-23 02:55 UTC (MTS, Kazan).',
        disable_notification: false,
      },
    },
  ])
})

test('recoveries make no sound', async () => {
  await deliver({}, [sampleNotice({ title: 'kazan-02 is heard again' }, 'resolved')])
  expect(api.arrived[0]?.json).toMatchObject({
    disable_notification: true,
    text: expect.stringMatching(/^\[RESOLVED\] kazan-02 is heard again\n/),
  })
})

test('many notices are one message of at most 4096 characters that counts what it leaves out', async () => {
  await deliver(
    {},
    Array.from({ length: 50 }, (_, index) => sampleNotice({ title: `phone-${index} is silent`, detail: 'x'.repeat(200) })),
  )
  const { text } = api.arrived[0]?.json ?? {}
  expect(text.length).toBeLessThanOrEqual(4_096)
  expect(text).toMatch(/^\[ALERTS\] 50 firing\n\n\[CRITICAL\] phone-0 is silent/)
  const shown = text.split('is silent').length - 1
  expect(text).toMatch(new RegExp(`and ${50 - shown} more: GET /api/v1/alerts$`))
})

test('a group that became a supergroup is written to under its new id, which is kept', async () => {
  api.answer(botApi.no(400, 'Bad Request: group chat was upgraded to a supergroup chat', { migrate_to_chat_id: -1009999999999 }), botApi.ok)
  const result = await deliver()
  expect(result).toMatchObject({ outcome: 'sent', address: { chat_id: '-1009999999999', bot_token: TOKEN } })
  expect(api.arrived.map(({ json }) => json.chat_id)).toEqual(['-1001234567890', '-1009999999999'])
})

describe('an answer that is none of success', () => {
  test.each<[string, Reply, object]>([
    [
      'too many requests: later, when it says',
      botApi.no(429, 'Too Many Requests: retry after 17', { retry_after: 17 }),
      { outcome: 'retry', afterMs: 17_000 },
    ],
    [
      'a chat that is not there: the channel is off',
      botApi.no(400, 'Bad Request: chat not found'),
      { outcome: 'gone', answer: '400 Bad Request: chat not found' },
    ],
    ['blocked by the user: the channel is off', botApi.no(403, 'Forbidden: bot was blocked by the user'), { outcome: 'gone' }],
    ['kicked out: the channel is off', botApi.no(403, 'Forbidden: bot was kicked from the supergroup chat'), { outcome: 'gone' }],
    ['a wrong token: the channel is off', botApi.no(401, 'Unauthorized'), { outcome: 'gone' }],
    ['a message it does not take: this one is lost', botApi.no(400, 'Bad Request: message text is empty'), { outcome: 'refused' }],
    ['its own trouble: later', botApi.no(502, 'Bad Gateway'), { outcome: 'retry' }],
    [
      'another server than a Bot API: later',
      { status: 404, body: '<html>not here</html>' },
      { outcome: 'retry', answer: expect.stringContaining('api_url') },
    ],
    ['a connection that is cut: later', 'cut', { outcome: 'retry' }],
    [
      'a redirect, which is not followed with the token',
      { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
      { outcome: 'retry' },
    ],
  ])('%s', async (_case, reply, expected) => {
    api.answer(reply)
    const result = await deliver()
    expect(result).toMatchObject(expected)
    expect(JSON.stringify(result)).not.toContain('AAExample')
    expect(api.arrived).toHaveLength(1)
  })

  test('none at all: given up when told so', async () => {
    api.answer('hang')
    const stop = new AbortController()
    const result = telegram.deliver({ bot_token: TOKEN, chat_id: '1', api_url: api.url }, [sampleNotice()], {
      ...tools,
      signal: stop.signal,
    })
    await api.until(1)
    stop.abort()
    expect(await result).toMatchObject({ outcome: 'retry' })
  })
})
