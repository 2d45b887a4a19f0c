import { randomUUID } from 'node:crypto'
import { type BanReportJson, banList, hubEvents } from '@mobilepool/sdk/contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Answer } from './client.ts'
import { EventReader } from './event-reader.ts'
import { ADMIN_KEY, startHub, type TestHub } from './hub.ts'

let hub: TestHub
const readers: EventReader[] = []
beforeEach(async () => {
  hub = await startHub()
})
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close()
  await hub.remove()
})

const reporter = randomUUID()
const report = (bans: unknown, key: string | undefined = 'admin') =>
  hub.ask('/api/v1/bans', { method: 'POST', body: { reporter, bans }, ...(key === '' ? {} : { key }) })
const live = async () => banList.parse((await hub.ask('/api/v1/bans', { key: 'admin' })).json).bans
const listen = async (headers: Record<string, string>): Promise<EventReader> => {
  const reader = new EventReader(`${hub.url}/api/v1/events`, { headers })
  readers.push(reader)
  await reader.opened
  return reader
}
const ban = (over: Partial<BanReportJson['bans'][number]> = {}) => ({ exit_ip: '127.10.5.1', site: 'shop.com', lasts_ms: 600_000, ...over })

describe('a ban that a parser reports', () => {
  test('is told to all with a key, listed for those that come later, and survives a restart', async () => {
    const [keyed, open] = [await listen({ authorization: `Bearer ${await hub.parserKey()}` }), await listen({})]
    expect((await report([ban({ rule: 'cloudflare' }), ban({ exit_ip: '2001:db8::7' })])).json).toEqual({ accepted: 2 })
    await keyed.until('quarantine')
    const [event] = keyed.events.filter(({ name }) => name === 'quarantine')
    const { bans, ...from } = hubEvents.quarantine.parse(event?.data)
    expect(from).toEqual({ reporter })
    expect(bans).toMatchObject([{ exit_ip: '127.10.5.1', site: 'shop.com', rule: 'cloudflare' }, { exit_ip: '2001:db8::7' }])
    await hub.addDevice({ name: 'seoul-01' })
    await open.until('device')
    expect(open.text).not.toContain('shop.com')
    hub = await hub.restart()
    expect((await live()).map((one) => [one.exit_ip, one.rule])).toEqual(
      expect.arrayContaining([
        ['127.10.5.1', 'cloudflare'],
        ['2001:db8::7', null],
      ]),
    )
  })

  test('lasts a day at most, as long as the longest report says, and until it is lifted', async () => {
    await report([ban({ lasts_ms: 365 * 86_400_000 })])
    expect((await live())[0]?.lasts_ms).toBeGreaterThan(86_300_000)
    await report([ban({ lasts_ms: 1_000 }), ban({ site: 'other.com' })])
    expect((await live()).map(({ site, lasts_ms: lastsMs }) => [site, lastsMs > 1_000])).toEqual([
      ['shop.com', true],
      ['other.com', true],
    ])
    const stream = await listen({ authorization: `Bearer ${ADMIN_KEY}` })
    await report([ban({ lasts_ms: 0 })])
    await stream.until('quarantine')
    expect(stream.events.at(-1)?.data.bans).toMatchObject([{ site: 'shop.com', lasts_ms: 0 }])
    expect((await live()).map(({ site }) => site)).toEqual(['other.com'])
    hub = await hub.restart()
    expect((await live()).map(({ site }) => site)).toEqual(['other.com'])
  })

  test.each([
    ['an address that is none', [ban({ exit_ip: 'nowhere' })]],
    ['a site with a path', [ban({ site: 'shop.com/a' })]],
    ['a site with credentials', [ban({ site: 'user@shop.com' })]],
    ['no end', [{ exit_ip: '127.10.5.1', site: 'shop.com' }]],
    ['nothing in it', []],
    ['more than a hundred', Array.from({ length: 101 }, (_, n) => ban({ site: `s${n}.com` }))],
  ])('with %s is refused', async (_, bans) => {
    expect(await report(bans)).toMatchObject({ status: 400, json: { code: 'bad_request' } })
    expect(await live()).toEqual([])
  })

  test('takes a parser’s or an admin’s key, and no other, to tell and to ask', async () => {
    const device = await hub.enrol('busan-03')
    for (const [key, status] of [
      ['', 401],
      ['mp_wrong-key-0123456789abcdefghijkl', 401],
      [device, 403],
    ] as const) {
      expect((await report([ban()], key)).status).toBe(status)
      expect((await hub.ask('/api/v1/bans', key === '' ? {} : { key })).status).toBe(status)
    }
    expect(await live()).toEqual([])
  })

  test('too many of one key a minute are refused, with the time to wait', async () => {
    const answers: Answer[] = []
    for (let n = 0; n < 3_000 && answers.every(({ status }) => status === 200); n += 20)
      answers.push(...(await Promise.all(Array.from({ length: 20 }, () => report([ban()])))))
    expect(answers.length).toBeGreaterThan(600)
    expect(answers.find(({ status }) => status !== 200)).toMatchObject({ status: 429, json: { code: 'too_many_requests', retry_after: 1 } })
  })
})
