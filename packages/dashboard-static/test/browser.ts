import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest'
import { dist } from './static-files.ts'

const EXECUTABLE = '/usr/bin/chromium'

const INSTALL = `no ${EXECUTABLE}: apt-get update && apt-get install -y --no-install-recommends chromium`

/** How long anything may take, ms: generous, for a machine that does other things too. */
const PATIENCE_MS = 30_000

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** What Chromium itself writes on the console for a request that failed or was answered with an error: no page can keep it from that. */
export const FAILED_REQUESTS = /^Failed to load resource/

/** What a test asks of its page. */
type PageOptions = BrowserContextOptions & {
  /** What the console may say without failing the test. */
  readonly mayComplain?: RegExp
}

/** Opens a page in a context of its own. After the test it is closed, and the test fails when the page complained on its console. */
export type OpenPage = (url: string, options?: PageOptions) => Promise<Page>

/**
 * A suite in real Chromium, with the built page. The profile is a new empty folder, gone when the browser closes. Without Chromium the suite
 * is skipped and says once what to install; in CI it fails instead.
 */
export function describeInChromium(name: string, suite: (openPage: OpenPage) => void): void {
  const isMissing = !existsSync(EXECUTABLE)
  const isSkipped = isMissing && !process.env.CI
  if (isSkipped) console.warn(`skipped: ${INSTALL}`)
  describe.skipIf(isSkipped)(name, { timeout: 4 * PATIENCE_MS }, () => {
    let browser: Browser | undefined
    beforeAll(async () => {
      if (isMissing) throw new Error(INSTALL)
      if (!existsSync(join(dist, 'index.html'))) throw new Error('no built page: npm run build -w packages/dashboard-static')
      browser = await chromium.launch({ executablePath: EXECUTABLE, args: flags })
    })
    afterAll(() => browser?.close())
    suite((url, options) => {
      if (!browser) throw new Error('a page can only be opened in a test')
      return openPage(browser, url, options)
    })
  })
}

async function openPage(browser: Browser, url: string, { mayComplain, ...options }: PageOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  const complaints: string[] = []
  const complain = (text: string): void => {
    if (!mayComplain?.test(text)) complaints.push(text)
  }
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complain(message.text())
  })
  page.on('pageerror', (error) => complain(String(error)))
  onTestFinished(async () => {
    await context.close()
    if (complaints.length > 0) throw new Error(`the page complained:\n${complaints.join('\n')}`)
  })
  await page.goto(url)
  return page
}

/** The device's row of the table. */
export const row = (page: Page, name: string): Locator => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) })

/** Waits until the page hears the hub live. */
export const live = (page: Page): Promise<void> => page.getByText('Live', { exact: true }).waitFor()

/** Expects of what a look again and again will show. */
export const eventually = <Value>(look: () => Value | Promise<Value>) => expect.poll(look, { timeout: PATIENCE_MS })
