import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { describeInChromium, live } from './browser.ts'
import { putCast, putFarm } from './fleets.ts'
import { type HubDouble, startHub } from './hub-double.ts'

/** Pictures to look at, in the git-ignored test-results/ of the repository. */
const folder = join(import.meta.dirname, '..', '..', '..', 'test-results', 'page')

const fleets = {
  'no-devices': () => undefined,
  cast: putCast,
  farm: (hub: HubDouble) => putFarm(hub, 200),
}

describeInChromium('at every width and in both themes the page fits without a sideways scroll', (openPage) => {
  beforeAll(() => {
    mkdirSync(folder, { recursive: true })
  })

  for (const [fleet, put] of Object.entries(fleets)) {
    for (const width of [360, 640, 1024, 1280, 1920]) {
      it(`${fleet} at ${width} px`, async () => {
        const hub = await startHub()
        put(hub)
        const page = await openPage(hub.url, { viewport: { width, height: 900 }, reducedMotion: 'reduce' })
        await live(page)
        if (fleet === 'cast') {
          hub.rotate('busan-03', 'verifying', { created_at: new Date(Date.now() - 7_000).toISOString() })
          await page.getByText('Verifying').waitFor()
        }
        for (const theme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme: theme })
          await page.screenshot({ path: join(folder, `${fleet}-${width}-${theme}.png`), fullPage: fleet !== 'farm' })
        }
        expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
      })
    }
  }
})
