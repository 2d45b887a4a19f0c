import { expect, it } from 'vitest'
import { describeInChromium, live } from './browser.ts'
import { putCast, putFarm } from './fleets.ts'
import { type HubDouble, startHub } from './hub-double.ts'
import { picture } from './pictures.ts'

const fleets = {
  'no-devices': () => undefined,
  cast: putCast,
  farm: (hub: HubDouble) => putFarm(hub, 200),
}

describeInChromium('at every width and in both themes the page fits without a sideways scroll', (openPage) => {
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
          await page.screenshot({ path: picture(`${fleet}-${width}-${theme}`), fullPage: fleet !== 'farm' })
        }
        expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
      })
    }
  }
})
