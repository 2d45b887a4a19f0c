import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { MobilePool } from '@mobilepool/sdk'
import axios, { type AxiosRequestConfig } from 'axios'
import ky from 'ky'
import nodeFetch from 'node-fetch'
import { beforeAll, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { builtSdk } from './matrix/built.ts'
import type { SeenRequest } from './servers/origin.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

/** One request of some client, as a program of its users would send it. */
type Send = (pool: MobilePool, url: string, options: { method: string; body?: string; signal?: AbortSignal }) => Promise<SeenRequest>

const axiosAgents = (pool: MobilePool): AxiosRequestConfig => ({ httpAgent: pool.httpAgent, httpsAgent: pool.httpsAgent, proxy: false })
const given = <Value extends object>(values: Value): Partial<Value> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<Value>

/** got 16 needs Node 22. */
const hasGot = Number(process.versions.node.split('.')[0]) >= 22

const clients: Record<string, Send> = {
  'axios with agents': async (pool, url, { method, body, signal }) =>
    (await axios.request<SeenRequest>({ url, method, ...axiosAgents(pool), ...given({ data: body, signal }) })).data,
  'axios with its fetch adapter': async (pool, url, { method, body, signal }) =>
    (
      await axios.request<SeenRequest>({
        url,
        method,
        adapter: 'fetch',
        fetchOptions: { dispatcher: pool },
        ...given({ data: body, signal }),
      })
    ).data,
  'node-fetch with agents': async (pool, url, { method, body, signal }) => {
    const agent = ({ protocol }: URL) => (protocol === 'https:' ? pool.httpsAgent : pool.httpAgent)
    // Its types know an older AbortSignal.
    return (await (await nodeFetch(url, { method, agent, ...given({ body, signal: signal as never }) })).json()) as SeenRequest
  },
  'ky with pool.fetch': (pool, url, { method, body, signal }) =>
    ky(url, { fetch: pool.fetch, method, retry: 0, ...given({ body, signal }) }).json<SeenRequest>(),
  'built-in fetch with a dispatcher': async (pool, url, { method, body, signal }) =>
    (await (await fetch(url, { method, dispatcher: pool, ...given({ body, signal }) } as RequestInit)).json()) as SeenRequest,
}
if (hasGot) {
  const { default: got } = await import('got')
  clients['got with agents'] = (pool, url, { method, body, signal }) =>
    got(url, {
      method: method as 'GET',
      agent: { http: pool.httpAgent, https: pool.httpsAgent },
      retry: { limit: 0 },
      ...given({ body, signal }),
    }).json<SeenRequest>()
}

describe.each(Object.entries(clients))('%s', (_name, send) => {
  test.each([false, true])('spreads its requests and is spared a dead device (https: %s)', async (tls) => {
    const origin = await stage.origin({ tls })
    const [seoul, omsk, busan] = [
      await stage.device('seoul-01', { auth: 'us:er' }),
      await stage.device('omsk-05'),
      await stage.device('busan-03'),
    ]
    await omsk.refuse()
    const pool = stage.pool([omsk, seoul, busan])
    const retries = collect(pool, 'retry')
    const addresses = new Set<string>()
    for (let count = 0; count < 6; count++) {
      const seen = await send(pool, `${origin.url}/page?n=${count}`, { method: 'GET' })
      expect(seen).toMatchObject({ method: 'GET', url: `/page?n=${count}` })
      addresses.add(seen.remoteAddress)
    }
    expect(addresses).toEqual(new Set(['127.10.1.1', '127.10.3.1']))
    const posted = await send(pool, `${origin.url}/form`, { method: 'POST', body: 'name=value' })
    expect(posted).toMatchObject({ method: 'POST', body: 'name=value', url: '/form' })
    expect(retries.length).toBeGreaterThan(0)
    expect(retries.every(({ attempt }) => attempt.deviceId === 'omsk-05')).toBe(true)
    expect(origin.seen).toHaveLength(7)
    expect(JSON.stringify(origin.seen)).not.toMatch(/proxy-authorization/i)
  })

  test('aborts while a device leaves it hanging', async () => {
    const origin = await stage.origin({ tls: true })
    const kazan = await stage.device('kazan-02')
    kazan.fault = { kind: 'hang_connect' }
    const pool = stage.pool([kazan])
    const abort = new AbortController()
    const sent = send(pool, origin.url, { method: 'GET', signal: abort.signal })
    const failed = expect(sent).rejects.toThrow()
    await eventually('it is at the device', () => kazan.counts.connects === 1)
    abort.abort()
    await failed
    await eventually('its connection is closed', () => kazan.sockets.size === 0)
    expect(pool.stats().devices[0]?.inFlight).toBe(0)
  })

  test('tells of no device by the pool’s own code', async () => {
    const pool = stage.open({ devices: [] })
    const error = await send(pool, 'http://127.0.0.1:8000/', { method: 'GET' }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(codesOf(error)).toContain('MP_NO_DEVICE')
  })
})

/** Clients wrap errors; the code is on one of the layers. */
function codesOf(error: unknown): unknown[] {
  if (!(error instanceof Error)) return []
  return ['code' in error ? error.code : undefined, ...codesOf(error.cause)]
}

test.skipIf(!hasGot)('got’s own retries ask the agent again, and so another device', async () => {
  const { default: got } = await import('got')
  const origin = await stage.origin()
  const [seoul, busan] = [await stage.device('seoul-01'), await stage.device('busan-03')]
  origin.ban('127.10.1.1', { status: 503 })
  const pool = stage.pool([seoul, busan])
  const seen = await got(origin.url, {
    agent: { http: pool.httpAgent, https: pool.httpsAgent },
    retry: { limit: 1, backoffLimit: 1 },
  }).json<SeenRequest>()
  expect(seen.remoteAddress).toBe('127.10.3.1')
  expect(origin.seen.map(({ remoteAddress }) => remoteAddress)).toEqual(['127.10.1.1', '127.10.3.1'])
})

describe('examples', () => {
  const root = join(import.meta.dirname, '../../..')
  const run = promisify(execFile)
  beforeAll(() => void builtSdk())

  test.each(['got', 'axios', 'node-https', 'node-fetch', 'ky'])('examples/%s.mjs prints which device answered', async (name) => {
    const origin = await stage.origin({ tls: true })
    const [seoul, busan] = [await stage.device('seoul-01', { auth: 'us:er' }), await stage.device('busan-03')]
    const env = {
      ...process.env,
      NODE_OPTIONS: '',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
      NODE_NO_WARNINGS: '1',
      MOBILEPOOL_DEVICES: `${seoul.url},${busan.url}`,
    }
    const { stdout } = await run(process.execPath, [join(root, `examples/${name}.mjs`), `${origin.url}/one`, `${origin.url}/two`], { env })
    const lines = stdout.trim().split('\n')
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['200', '200'])
    expect(new Set(lines.map((line) => /"remoteAddress":"([^"]+)"/.exec(line)?.[1]))).toEqual(new Set(['127.10.1.1', '127.10.3.1']))
  })
})
