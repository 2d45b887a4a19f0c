import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { curl, seenIn } from '../../../sdk/test/curl.ts'
import { type Origin, startOrigin } from '../../../sdk/test/servers/origin.ts'
import { type GatewayStage, startGatewayStage } from './gateway-stage.ts'

/** What a client chooses by its user name, with the real curl. */
let stage: GatewayStage
let http: Origin
let https: Origin

beforeAll(async () => {
  stage = await startGatewayStage({ gatewayBalancer: 'round-robin' })
  ;[http, https] = await Promise.all([startOrigin(), startOrigin({ tls: true })])
  await stage.device('seoul-01', { operator: 'SKT', region: 'KR', tags: ['cast', 'farm-1', 'fast'] })
  await stage.device('busan-03', { operator: 'KT', region: 'Busan', tags: ['cast', 'KR'] })
  await stage.device('moscow-07', { operator: 'MTS', region: 'Moscow', tags: ['cast'] })
})
afterAll(async () => {
  await stage.close()
  await Promise.all([http, https].map((origin) => origin.close()))
})

const from = async (userName: string, origin: Origin): Promise<string> => {
  const answer = await curl('-x', stage.proxy(userName), origin.url)
  expect(answer).toMatchObject({ exit: 0, status: 200 })
  return seenIn(answer).remoteAddress
}
const timesFrom = async (userName: string, origin: Origin, times: number): Promise<string[]> => {
  const seen: string[] = []
  for (let count = 0; count < times; count++) seen.push(await from(userName, origin))
  return seen
}

describe.each([
  ['http', () => http],
  ['https', () => https],
])('%s through the gateway', (kind, origin) => {
  test('goes through every device in turn, and says through which', async () => {
    expect(new Set(await timesFrom('anna-tag-cast', origin(), 3))).toEqual(new Set(['127.10.1.1', '127.10.2.1', '127.10.3.1']))
    const { head } = await curl('-x', stage.proxy('anna-device-seoul-01'), origin().url)
    expect(head).toMatch(/^x-mobilepool-device: seoul-01\r$/im)
    expect(head).toMatch(/^x-mobilepool-ip: 127\.10\.1\.1\r$/im)
    expect(head).toMatch(/^x-mobilepool-attempts: 1\r$/im)
  })

  test.each([
    ['anna-device-seoul-01', '127.10.1.1'],
    ['anna-operator-kt', '127.10.2.1'],
    ['anna-carrier-MTS', '127.10.3.1'],
    ['anna-region-moscow', '127.10.3.1'],
    ['anna-tag-farm-1-tag-fast', '127.10.1.1'],
    ['anna-country-kr-operator-KT', '127.10.2.1'],
  ])('%s goes through the device that it means', async (userName, exit) => {
    expect(await timesFrom(userName, origin(), 3)).toEqual([exit, exit, exit])
  })

  test('stays on one device in a session, in another session on its own, and users are not in each other’s', async () => {
    const [first] = await timesFrom(`anna-session-${kind}`, origin(), 1)
    expect(await timesFrom(`anna-session-${kind}`, origin(), 4)).toEqual([first, first, first, first])
    expect(await timesFrom(`bert-sessid-${kind}`, origin(), 2)).toEqual([first, first])
    const otherKey = await stage.hub.parserKey()
    const others = new Set<string>()
    for (let count = 0; count < 3; count++) {
      const answer = await curl('-x', stage.proxy(`anna-session-${kind}${count}-tag-cast`, otherKey), origin().url)
      others.add(seenIn(answer).remoteAddress)
    }
    expect(others.size).toBe(3)
  })

  test('of nobody that is known is refused, and a wrong word is named', async () => {
    const statusOf = ({ status, connectStatus }: { status: number; connectStatus: number }) => (kind === 'https' ? connectStatus : status)
    const seenBefore = origin().seen.length
    for (const [proxy, said] of [
      [stage.hub.gatewayUrl ?? '', 'needs a key'],
      [stage.proxy('anna', 'mp_wrong'), 'does not know this key'],
      [stage.proxy('anna-sesion-a'), '"sesion" in the user name is no choice'],
      [stage.proxy('anna-device-nobody'), 'There is no device'],
    ] as const) {
      const answer = await curl('-x', proxy, origin().url)
      expect(statusOf(answer), said).toBe(407)
      expect(answer.head).toMatch(/^x-mobilepool-error: auth_required\r$/im)
      if (kind === 'http') expect(JSON.parse(answer.body)).toMatchObject({ code: 'auth_required', detail: expect.stringContaining(said) })
    }
    expect(origin().seen).toHaveLength(seenBefore)
  })

  test('for which no device matches is told so at once, with Retry-After', async () => {
    const { head, status, connectStatus } = await curl('-x', stage.proxy('anna-operator-Nobody'), origin().url)
    expect(kind === 'https' ? connectStatus : status).toBe(503)
    expect(head).toMatch(/^retry-after: \d+\r$/im)
    expect(head).toMatch(/^x-mobilepool-error: no_device\r$/im)
  })

  test('goes to another device when the first one refuses', async () => {
    const [omsk, kazan] = [
      await stage.device(`omsk-${kind}`, { tags: [`spare-${kind}`] }),
      await stage.device(`kazan-${kind}`, { tags: [`spare-${kind}`] }),
    ]
    await omsk.refuse()
    expect(new Set(await timesFrom(`anna-tag-spare-${kind}`, origin(), 3))).toEqual(new Set([kazan.egress]))
  })
})
