import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Configuration, HttpCrawler, ProxyConfiguration } from '@crawlee/http'
import { type CrawleeProxy, type CrawleeSessionPool, crawleeProxy } from '@mobilepool/sdk/crawlee'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { SeenRequest } from './servers/origin.ts'
import { collect, Stage } from './stage.ts'
import { twoDevices } from './two-devices.ts'

vi.setConfig({ testTimeout: 60_000 })

const stage = new Stage()
const crawls: CrawleeProxy[] = []

afterEach(async () => {
  await Promise.all(crawls.splice(0).map((proxy) => proxy.close()))
})

/** Closed after the test; the pools are closed after it. */
function lent(...given: Parameters<typeof crawleeProxy>): CrawleeProxy {
  const proxy = crawleeProxy(...given)
  crawls.push(proxy)
  return proxy
}

interface Page {
  readonly session: string
  readonly seen: SeenRequest
}

interface Crawl {
  /** Ways to give the adapter to Crawlee: 3.x wraps the function; an object is what 4 takes, and 3.x takes one too. */
  readonly shape?: 'newUrlFunction' | 'newProxyInfo'
  readonly useSessionPool?: boolean
  /** Requests of a session before Crawlee ends it. @default Crawlee's 50 */
  readonly sessionUses?: number
  readonly onPage?: (page: Page, count: number) => Promise<void> | void
  readonly onError?: (context: { proxyInfo?: { url: string } | undefined; request: { url: string } }, error: Error) => void
}

/** Crawls with Crawlee's own HTTP crawler; returns what the origin saw of each page that arrived, with the session that fetched it. */
async function crawl(
  proxy: CrawleeProxy,
  urls: readonly string[],
  { shape, useSessionPool = true, sessionUses = 50, onPage, onError }: Crawl = {},
) {
  const pages: Page[] = []
  const asObject = { newUrl: proxy.newUrlFunction, newProxyInfo: proxy.newProxyInfo } as unknown as ProxyConfiguration
  const crawler = new HttpCrawler(
    {
      proxyConfiguration: shape === 'newProxyInfo' ? asObject : new ProxyConfiguration({ newUrlFunction: proxy.newUrlFunction }),
      useSessionPool,
      persistCookiesPerSession: useSessionPool,
      ...(useSessionPool ? { sessionPoolOptions: { maxPoolSize: 4, sessionOptions: { maxUsageCount: sessionUses } } } : {}),
      maxConcurrency: 4,
      maxRequestRetries: 8,
      maxSessionRotations: 20,
      additionalMimeTypes: ['application/json'],
      ignoreSslErrors: true,
      preNavigationHooks: [({ crawler }) => proxy.follow((crawler as { sessionPool?: CrawleeSessionPool }).sessionPool)],
      errorHandler: (context, error) => onError?.(context, error),
      requestHandler: async ({ body, session }) => {
        const page = { session: session?.id ?? '', seen: JSON.parse(String(body)) as SeenRequest }
        pages.push(page)
        await onPage?.(page, pages.length)
      },
    },
    new Configuration({ persistStorage: false, purgeOnStart: true }),
  )
  const { requestsFinished, requestsFailed } = await crawler.run([...urls])
  await crawler.teardown()
  return { pages, requestsFinished, requestsFailed }
}

const pagesOf = (url: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${url}/page/${index}`)

const exitsBySession = (pages: readonly Page[]): Map<string, Set<string>> => {
  const map = new Map<string, Set<string>>()
  for (const { session, seen } of pages) map.set(session, (map.get(session) ?? new Set()).add(seen.remoteAddress))
  return map
}

const areTrueToTheirExit = (pages: readonly Page[]): boolean => [...exitsBySession(pages).values()].every(({ size }) => size === 1)

const exitsOf = (pages: readonly Page[]): Set<string> => new Set(pages.map(({ seen }) => seen.remoteAddress))

describe('Crawlee 3', () => {
  test.each([
    ['newUrlFunction', true],
    ['newUrlFunction', false],
    ['newProxyInfo', false],
  ] as const)('gets all pages by %s, TLS %s, each session by one device', async (shape, tls) => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('busan-03', { auth: 'us:er' }), await stage.device('seoul-01')])
    const proxy = lent(pool)
    const { pages, requestsFinished, requestsFailed } = await crawl(proxy, pagesOf(origin.url, 20), { shape })
    expect([requestsFinished, requestsFailed]).toEqual([20, 0])
    expect(areTrueToTheirExit(pages)).toBe(true)
    expect(exitsOf(pages)).toEqual(new Set(['127.10.1.1', '127.10.3.1']))
    expect(proxy.size).toBe(4)
    await proxy.close()
    expect(proxy.size).toBe(0)
    await expect(proxy.newUrlFunction('another')).rejects.toMatchObject({ code: 'MP_CLOSED' })
  })

  test('without sessions spreads its requests over the devices', async () => {
    const origin = await stage.origin({ tls: true })
    const pool = stage.pool([await stage.device('busan-03'), await stage.device('seoul-01')])
    const { pages, requestsFinished } = await crawl(lent(pool), pagesOf(origin.url, 8), { useSessionPool: false })
    expect(requestsFinished).toBe(8)
    const exits = pages.map(({ seen }) => seen.remoteAddress)
    expect([exits.filter((exit) => exit === '127.10.1.1').length, exits.length]).toEqual([4, 8])
  })

  test('in the middle of whose crawl a device rotates goes on: its sessions end, no session shows its cookies from another exit IP', async () => {
    const { pool, origin, rotations } = await twoDevices(stage)
    const proxy = lent(pool)
    let rotation: Promise<unknown> | null = null
    const { pages, requestsFinished, requestsFailed } = await crawl(proxy, pagesOf(origin.url, 30), {
      // New sessions until the end: those that begin during the rotation have no choice but the other device.
      sessionUses: 3,
      onPage: async (_page, count) => {
        if (count === 10) rotation = pool.rotate('busan-03')
        // Else a fast crawl would be over before the new exit IP is there.
        await rotation
      },
    })
    expect([requestsFinished, requestsFailed, rotations()]).toEqual([30, 0, 1])
    expect(areTrueToTheirExit(pages)).toBe(true)
    expect(exitsOf(pages)).toContain('127.10.3.2')
    expect(new Set(origin.seen.map(({ remoteAddress }) => remoteAddress))).toEqual(new Set(['127.10.3.1', '127.10.3.2', '127.10.1.1']))
  })

  test('that is banned over https says so by report: no later session begins on that exit IP', async () => {
    const { pool, origin } = await twoDevices(stage)
    const proxy = lent(pool)
    const bans = collect(pool, 'ban')
    const errors: string[] = []
    origin.ban('127.10.3.1')
    const { pages, requestsFinished, requestsFailed } = await crawl(proxy, pagesOf(origin.url, 20), {
      onError: ({ proxyInfo, request }, error) => {
        errors.push(error.message)
        if (proxyInfo !== undefined && error.message.includes('403')) proxy.report(proxyInfo, { banned: true, site: request.url })
      },
    })
    expect([requestsFinished, requestsFailed]).toEqual([20, 0])
    expect(exitsOf(pages)).toEqual(new Set(['127.10.1.1']))
    // What had begun with a session whose device is banned fails at once; it does not wait for the end of the quarantine.
    expect(errors.filter((message) => message.includes('timed out'))).toEqual([])
    expect(bans).toMatchObject(bans.map(() => ({ deviceId: 'busan-03', site: '127.0.0.1', by: 'report' })))
    // What was under way when the first report came, at most: four at a time, every other one there.
    const refused = origin.seen.filter(({ remoteAddress }) => remoteAddress === '127.10.3.1').length
    expect([bans.length, refused <= 4]).toEqual([refused, true])
    expect(refused).toBeGreaterThan(0)
  })

  test('that is banned over http needs no report: the pool sees it', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('busan-03'), await stage.device('seoul-01')])
    origin.ban('127.10.3.1')
    const bans = collect(pool, 'ban')
    const { pages, requestsFailed } = await crawl(lent(pool), pagesOf(origin.url, 20))
    expect([pages.length, requestsFailed, exitsOf(pages)]).toEqual([20, 0, new Set(['127.10.1.1'])])
    expect(bans.every(({ device, by }) => device === 'busan-03' && by === 'status')).toBe(true)
    expect(bans.length).toBeGreaterThan(0)
  })
})

/** The exit IP by this proxy, as an HTTP client of Crawlee 4 would use it. */
async function exitBy(proxy: { readonly url: string }, url: string): Promise<string> {
  const { stdout } = await promisify(execFile)('curl', ['-skf', '--max-time', '20', '-x', proxy.url, url])
  return (JSON.parse(stdout) as SeenRequest).remoteAddress
}

describe('Crawlee 4, which asks once for each new session and keeps the answer', () => {
  test('gets another device each time, with the parts of its proxy', async () => {
    const { pool, origin } = await twoDevices(stage)
    const proxy = lent(pool)
    const [one, other] = [await proxy.newProxyInfo(), await proxy.newProxyInfo({ request: { url: origin.url } })]
    const { hostname, port, username, password } = new URL(one.url)
    expect(one).toEqual({ url: one.url, hostname, port, username, password })
    for (let i = 0; i < 2; i++)
      expect([await exitBy(one, origin.url), await exitBy(other, origin.url)]).toEqual(['127.10.3.1', '127.10.1.1'])
    expect(proxy.report(other, { banned: true })).toMatchObject({ deviceId: 'seoul-01', site: '127.0.0.1', isNews: true })
    expect(await exitBy(await proxy.newProxyInfo({ request: { url: origin.url } }), origin.url)).toBe('127.10.3.1')
  })

  test('gets another device each time by a function that it gives only the request', async () => {
    const { pool, origin } = await twoDevices(stage)
    const proxy = lent(pool)
    const asked = { request: { url: origin.url } }
    const exits = [await proxy.newUrlFunction(asked), await proxy.newUrlFunction(asked)].map((url) => exitBy({ url }, origin.url))
    expect(await Promise.all(exits)).toEqual(['127.10.3.1', '127.10.1.1'])
  })

  test('gives the lease up of a session that it retires, as soon as what is under way is over; a lost one serves nothing more', async () => {
    const { pool, origin } = await twoDevices(stage)
    const proxy = lent(pool)
    const [one, other] = [await proxy.newProxyInfo(), await proxy.newProxyInfo()]
    const retire: ((session: { id: string; proxyInfo: { url: string } }) => void)[] = []
    const sessions = { on: (_event: string, listener: (typeof retire)[0]) => retire.push(listener), getSession: async () => undefined }
    proxy.follow(sessions)
    proxy.follow(sessions)
    expect(retire).toHaveLength(1)
    retire[0]?.({ id: 'session_1', proxyInfo: other })
    expect(proxy.size).toBe(1)
    expect([await exitBy(one, origin.url), await exitBy(other, origin.url)]).toEqual(['127.10.3.1', '127.10.1.1'])
    await pool.rotate('busan-03')
    await expect(exitBy(one, origin.url)).rejects.toThrow()
    expect(proxy.size).toBe(0)
    await proxy.close()
    await expect(exitBy(other, origin.url)).rejects.toThrow()
  })
})
