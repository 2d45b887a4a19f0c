import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'
import puppeteer from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Stage } from './stage.ts'

const EXECUTABLE = '/usr/bin/chromium'
const INSTALL = `no ${EXECUTABLE}: apt-get update && apt-get install -y --no-install-recommends chromium`
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
/** How long anything may take, ms: generous, for a machine that does other things too. */
const PATIENCE_MS = 30_000

const isMissing = !existsSync(EXECUTABLE)
const isSkipped = isMissing && !process.env.CI
if (isSkipped) console.warn(`skipped: ${INSTALL}`)

const stage = new Stage()

/** A page with a style sheet, a script and a picture of its own; each answer says whom it was for. */
const page = (path: string, from: string): [type: string, body: string] => {
  switch (path) {
    case '/style.css':
      return ['text/css', 'body { color: rgb(1, 2, 3) }']
    case '/script.js':
      return ['text/javascript', `document.body.dataset.script = ${JSON.stringify(from)}`]
    case '/picture.svg':
      return ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>']
    default:
      return [
        'text/html',
        `<!doctype html><title>${from}</title><link rel="stylesheet" href="/style.css"><body><img src="/picture.svg"><script src="/script.js"></script>`,
      ]
  }
}

/** Two devices, and a site whose page has subresources; `seen` tells which exit IP asked for which path. */
async function scene() {
  const seen: { from: string; path: string }[] = []
  const site = await stage.site(
    (from, response, request) => {
      const path = request.url ?? '/'
      seen.push({ from, path })
      const [type, body] = page(path, from)
      response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
    },
    { tls: true },
  )
  const devices = [await stage.device('busan-03', { auth: 'us:er' }), await stage.device('seoul-01')]
  const pathsOf = (exit: string): string[] => [...new Set(seen.filter(({ from }) => from === exit).map(({ path }) => path))].sort()
  return { site, seen, pathsOf, pool: stage.pool(devices) }
}

const WHOLE_PAGE = ['/', '/picture.svg', '/script.js', '/style.css']

describe.skipIf(isSkipped)('Chromium', { timeout: 4 * PATIENCE_MS }, () => {
  let browser: Browser | undefined
  beforeAll(async () => {
    if (isMissing) throw new Error(INSTALL)
    browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS })
  })
  afterAll(() => browser?.close())

  test('two contexts of Playwright with two leases are two devices, page and subresources; a released one gets nothing more', async () => {
    const { site, seen, pathsOf, pool } = await scene()
    const [busan, seoul] = [await pool.lease(), await pool.lease()]
    const open = async (proxy: typeof busan.playwright) => {
      const context = await browser?.newContext({ proxy, ignoreHTTPSErrors: true })
      const tab = await context?.newPage()
      if (context === undefined || tab === undefined) throw new Error('no browser')
      tab.setDefaultTimeout(PATIENCE_MS)
      await tab.goto(site.url, { waitUntil: 'load' })
      return { context, tab }
    }
    const [one, other] = await Promise.all([open(busan.playwright), open(seoul.playwright)])
    expect([await one.tab.title(), await other.tab.title()]).toEqual(['127.10.3.1', '127.10.1.1'])
    expect(await one.tab.evaluate('document.body.dataset.script')).toBe('127.10.3.1')
    expect(pathsOf('127.10.3.1').filter((path) => path !== '/favicon.ico')).toEqual(WHOLE_PAGE)
    expect(pathsOf('127.10.1.1').filter((path) => path !== '/favicon.ico')).toEqual(WHOLE_PAGE)
    expect(new Set(seen.map(({ from }) => from))).toEqual(new Set(['127.10.3.1', '127.10.1.1']))

    await busan.release()
    const before = seen.length
    await expect(one.tab.goto(`${site.url}/later`)).rejects.toThrow(/ERR_|net::/)
    expect(seen.slice(before).filter(({ from }) => from !== '127.10.1.1')).toEqual([])
    await other.tab.goto(`${site.url}/later`)
    expect(await other.tab.title()).toBe('127.10.1.1')
    await Promise.all([one.context.close(), other.context.close()])
    await seoul.release()
  })

  test('a page of Puppeteer authenticates and goes through the lease’s device', async () => {
    const { site, pathsOf, pool, seen } = await scene()
    const lease = await pool.lease({ devices: 'seoul-01' })
    const { args, authenticate } = lease.puppeteer
    const other = await puppeteer.launch({ executablePath: EXECUTABLE, args: [...FLAGS, ...args], acceptInsecureCerts: true })
    try {
      const tab = await other.newPage()
      await tab.authenticate(authenticate)
      await tab.goto(site.url, { waitUntil: 'load', timeout: PATIENCE_MS })
      expect(await tab.title()).toBe('127.10.1.1')
      expect(pathsOf('127.10.1.1').filter((path) => path !== '/favicon.ico')).toEqual(WHOLE_PAGE)
      expect(new Set(seen.map(({ from }) => from))).toEqual(new Set(['127.10.1.1']))
    } finally {
      await other.close()
    }
    await lease.release()
  })
})
