import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { sampleNotice } from '../../../test/alert-samples.ts'
import { type FarEnd, type Reply, startFarEnd } from '../../../test/far-end.ts'
import { createDialer } from '../../outbound/dialer.ts'
import { createSender } from '../../outbound/sender.ts'
import { slack } from './slack.ts'

const send = createSender({ allowsPrivate: true, userAgent: 'test' })
const tools = { send, dial: createDialer({ allowsPrivate: true }), now: Date.now, signal: new AbortController().signal }
const PATH = '/services/T0001/B0001/verysecretpath'

let hooks: FarEnd
beforeAll(async () => {
  hooks = await startFarEnd({ status: 200, body: 'ok' })
})
afterAll(() => hooks.close())
afterEach(() => void hooks.arrived.splice(0))

const deliver = (notices = [sampleNotice()]) => slack.deliver({ webhook_url: hooks.url + PATH }, notices, tools)

test('a notice is posted as text, with what Slack would read as markup escaped', async () => {
  const result = await deliver([sampleNotice({ title: '<!channel> & more' })])
  expect(result).toEqual({ outcome: 'sent', answer: '200 ok' })
  expect(hooks.arrived).toMatchObject([
    { method: 'POST', path: PATH, json: { text: expect.stringMatching(/^\[CRITICAL\] &lt;!channel&gt; &amp; more\n/) } },
  ])
})

test('only the host of the webhook is shown', () => {
  expect(slack.target({ webhook_url: `https://hooks.slack.com${PATH}` })).toBe('hooks.slack.com')
})

test.each<[string, Reply, object]>([
  [
    '429 with Retry-After: later, when it says',
    { status: 429, headers: { 'retry-after': '30' }, body: 'rate_limited' },
    { outcome: 'retry', afterMs: 30_000 },
  ],
  ['404 no_service: the channel is off', { status: 404, body: 'no_service' }, { outcome: 'gone', answer: '404 no_service' }],
  ['403 action_prohibited: the channel is off', { status: 403, body: 'action_prohibited' }, { outcome: 'gone' }],
  ['410 channel_is_archived: the channel is off', { status: 410, body: 'channel_is_archived' }, { outcome: 'gone' }],
  ['400 invalid_payload: this one is lost', { status: 400, body: 'invalid_payload' }, { outcome: 'refused' }],
  ['500 rollup_error: later', { status: 500, body: 'rollup_error' }, { outcome: 'retry' }],
  ['no answer: later', 'cut', { outcome: 'retry' }],
])('%s', async (_case, reply, expected) => {
  hooks.answer(reply)
  const result = await deliver()
  expect(result).toMatchObject(expected)
  expect(JSON.stringify(result)).not.toContain('verysecretpath')
})
