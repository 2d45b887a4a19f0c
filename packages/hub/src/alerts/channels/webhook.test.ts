import { execFileSync } from 'node:child_process'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { webhookBody } from '@mobilepool/sdk/contract'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { sampleNotice, T0 } from '../../../test/alert-samples.ts'
import { type FarEnd, type Reply, startFarEnd } from '../../../test/far-end.ts'
import { createDialer } from '../../outbound/dialer.ts'
import { createSender } from '../../outbound/sender.ts'
import type { Notice } from './channel-kind.ts'
import { webhook } from './webhook.ts'

const SECRET = 'a secret of sixteen or more'
const send = createSender({ allowsPrivate: true, userAgent: 'test' })
const tools = { send, dial: createDialer({ allowsPrivate: true }), now: () => T0 + 999, signal: new AbortController().signal }

let receiver: FarEnd
beforeAll(async () => {
  receiver = await startFarEnd({ status: 204 })
})
afterAll(() => receiver.close())
afterEach(() => void receiver.arrived.splice(0))

const deliver = (notices: readonly Notice[] = [sampleNotice()], url = `${receiver.url}/alerts?token=abc`) =>
  webhook.deliver({ url, secret: SECRET }, notices, tools)

test('a notice arrives as the contract says, signed over its time and its bytes', async () => {
  const notices = [sampleNotice(), sampleNotice({ resolvedAt: T0 + 60_000 }, 'resolved')] as const
  expect(await deliver(notices)).toEqual({ outcome: 'sent', answer: '204' })
  const [got] = receiver.arrived
  if (!got) throw new Error('nothing arrived')
  expect(webhookBody.parse(got.json).notices.map(({ id, notice, alert }) => [id, notice, alert.state, alert.duration_ms])).toEqual([
    [notices[0].id, 'firing', 'firing', null],
    [notices[1].id, 'resolved', 'resolved', 60_000],
  ])
  expect(got.path).toBe('/alerts?token=abc')
  const timestamp = got.headers['mobilepool-timestamp']
  expect(timestamp).toBe(String(T0 / 1_000))
  const expected = `v1=${createHmac('sha256', SECRET).update(`${timestamp}.${got.text}`).digest('hex')}`
  expect(timingSafeEqual(Buffer.from(String(got.headers['mobilepool-signature'])), Buffer.from(expected))).toBe(true)
})

test('of the address only the origin is shown', () => {
  expect(webhook.target({ url: 'https://user:pass@ops.example.com:8443/a?token=abc', secret: SECRET })).toBe('https://ops.example.com:8443')
})

test.each<[string, Reply, object]>([
  ['500: later', { status: 500, body: 'oh no' }, { outcome: 'retry', answer: '500 oh no' }],
  ['503 with Retry-After: later, when it says', { status: 503, headers: { 'retry-after': '120' } }, { outcome: 'retry', afterMs: 120_000 }],
  ['404, as of a receiver that is being put right: later', { status: 404 }, { outcome: 'retry' }],
  ['410: the channel is off', { status: 410, body: 'gone' }, { outcome: 'gone' }],
  ['a redirect: not followed', { status: 307, headers: { location: 'http://127.0.0.1:1/' } }, { outcome: 'retry' }],
])('%s', async (_case, reply, expected) => {
  receiver.answer(reply)
  expect(await deliver()).toMatchObject(expected)
})

test('a certificate that nobody vouches for is an error that says so', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'mobilepool-tls-'))
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=127.0.0.1'],
    {
      stdio: 'ignore',
    },
  )
  const tls = await startFarEnd({ status: 204 }, { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') })
  rmSync(dir, { recursive: true })
  const result = await deliver([sampleNotice()], tls.url)
  expect(result).toMatchObject({ outcome: 'retry', answer: expect.stringMatching(/certificate|CERT/i) })
  expect(tls.arrived).toEqual([])
  await tls.close()
})
