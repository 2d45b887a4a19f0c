import { Configuration, HttpCrawler, ProxyConfiguration } from '@crawlee/http'
import { type CrawleeProxy, type CrawleeSessionPool, crawleeProxy, type LeasingPool } from '@mobilepool/sdk/crawlee'
import { expect, test, vi } from 'vitest'
import type { FaultyProxy } from './servers/faulty-proxy.ts'
import type { SeenRequest } from './servers/origin.ts'
import { Stage } from './stage.ts'

vi.setConfig({ testTimeout: 60_000 })

const stage = new Stage()

/** Lends these devices in turn, and keeps book. */
function lender(devices: readonly FaultyProxy[]): LeasingPool & { readonly open: Set<string> } {
  const open = new Set<string>()
  let turn = 0
  return {
    open,
    lease({ session }) {
      open.add(session)
      const device = devices[turn++ % devices.length]
      if (device === undefined) return Promise.reject(new Error('no device'))
      return Promise.resolve({ proxyUrl: device.url, release: () => open.delete(session) })
    },
  }
}

/** The session pool exists once the crawler runs: the first hook is where to meet it. */
interface HookContext {
  readonly crawler: { readonly sessionPool?: CrawleeSessionPool | undefined }
}

/** Crawls with Crawlee's own HTTP crawler; returns what the origin saw of each page that arrived, with the session that fetched it. */
async function crawl(proxy: CrawleeProxy, urls: readonly string[]) {
  const pages: { session: string; seen: SeenRequest }[] = []
  let isWatched = false
  const watch = (sessions: CrawleeSessionPool | undefined): void => {
    if (isWatched || sessions === undefined) return
    isWatched = true
    proxy.follow(sessions)
  }
  const crawler = new HttpCrawler(
    {
      proxyConfiguration: new ProxyConfiguration({ newUrlFunction: proxy.newUrlFunction }),
      useSessionPool: true,
      persistCookiesPerSession: true,
      sessionPoolOptions: { maxPoolSize: 4 },
      maxConcurrency: 4,
      maxRequestRetries: 8,
      maxSessionRotations: 20,
      additionalMimeTypes: ['application/json'],
      ignoreSslErrors: true,
      preNavigationHooks: [({ crawler: { sessionPool } }: HookContext) => watch(sessionPool)],
      requestHandler: ({ body, session }) => void pages.push({ session: session?.id ?? '', seen: JSON.parse(String(body)) as SeenRequest }),
    },
    new Configuration({ persistStorage: false, purgeOnStart: true }),
  )
  const { requestsFinished, requestsFailed } = await crawler.run([...urls])
  await crawler.teardown()
  return { pages, requestsFinished, requestsFailed }
}

const addressesBySession = (pages: readonly { session: string; seen: SeenRequest }[]): Map<string, Set<string>> => {
  const map = new Map<string, Set<string>>()
  for (const { session, seen } of pages) map.set(session, (map.get(session) ?? new Set()).add(seen.remoteAddress))
  return map
}

test('Crawlee’s sessions each keep their device, and all pages arrive', async () => {
  const origin = await stage.origin()
  const devices = [await stage.device('seoul-01', { auth: 'us:er' }), await stage.device('busan-03', { auth: 'us:er' })]
  const pool = lender(devices)
  const proxy = crawleeProxy(pool)
  const { pages, requestsFinished, requestsFailed } = await crawl(
    proxy,
    Array.from({ length: 20 }, (_, index) => `${origin.url}/page/${index}`),
  )
  expect([requestsFinished, requestsFailed]).toEqual([20, 0])
  const bySession = addressesBySession(pages)
  expect([...bySession.values()].every((addresses) => addresses.size === 1)).toBe(true)
  expect(new Set([...bySession.values()].flatMap((addresses) => [...addresses]))).toEqual(new Set(['127.10.1.1', '127.10.3.1']))
  expect(pool.open.size).toBe(proxy.size)
  await proxy.close()
  expect(pool.open.size).toBe(0)
})

test('a session that a site blocks is retired, and its lease given back at once', async () => {
  const origin = await stage.origin()
  const [busan, seoul] = [await stage.device('busan-03'), await stage.device('seoul-01')]
  origin.ban(busan.egress)
  const pool = lender([busan, seoul])
  const proxy = crawleeProxy(pool)
  const { pages, requestsFinished, requestsFailed } = await crawl(
    proxy,
    Array.from({ length: 10 }, (_, index) => `${origin.url}/page/${index}`),
  )
  expect([requestsFinished, requestsFailed]).toEqual([10, 0])
  expect(new Set(pages.map(({ seen }) => seen.remoteAddress))).toEqual(new Set(['127.10.1.1']))
  const live = new Set(pages.map(({ session }) => `crawlee-${session}`))
  expect([...pool.open].filter((session) => !live.has(session)).length).toBeLessThanOrEqual(4)
  await proxy.close()
  expect(pool.open.size).toBe(0)
})

test('Crawlee 4 gets the proxy’s parts', async () => {
  const seoul = await stage.device('seoul-01', { auth: 'us:p@ss' })
  const proxy = crawleeProxy(lender([seoul]))
  expect(await proxy.newProxyInfo({ session: { id: 'abc' } })).toEqual({
    sessionId: 'abc',
    url: seoul.url,
    hostname: '127.0.0.1',
    port: String(seoul.port),
    username: 'us',
    password: 'p@ss',
  })
  await proxy.close()
})
