import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { describeInChromium, eventually, FAILED_REQUESTS, live } from './browser.ts'
import { putCast } from './fleets.ts'
import { type HubDouble, startHub } from './hub-double.ts'
import { picture } from './pictures.ts'

interface State {
  readonly name: string
  readonly isPublic?: boolean
  readonly width?: number
  readonly prepare: (hub: HubDouble) => void
  readonly reach: (page: Page, hub: HubDouble) => Promise<unknown>
}

const breakOff = (hub: HubDouble): void => {
  hub.intercept = ({ url }, response) => {
    if (url !== '/status' && url !== '/api/v1/events') return false
    response.destroy()
    return true
  }
}

const states: State[] = [
  { name: 'the table', prepare: putCast, reach: live },
  { name: 'the narrow table', width: 800, prepare: putCast, reach: live },
  { name: 'the cards', width: 360, prepare: putCast, reach: live },
  {
    name: 'all well',
    prepare: (hub) => hub.put({ name: 'seoul-01' }),
    reach: (page) => page.getByRole('heading', { name: 'All well' }).waitFor(),
  },
  {
    name: 'a pressed filter that shows nothing',
    prepare: (hub) => hub.put({ name: 'seoul-01' }),
    reach: (page) => page.getByRole('button', { name: /^Offline/ }).click(),
  },
  { name: 'the empty fleet', prepare: () => undefined, reach: live },
  {
    name: 'the greyed fleet of a hub that is gone',
    prepare: putCast,
    reach: async (page, hub) => {
      await live(page)
      breakOff(hub)
      hub.cutStreams()
      await eventually(() => page.evaluate(`getComputedStyle(document.querySelector('main > div')).filter`)).toBe('grayscale(1)')
    },
  },
  {
    name: 'the unreachable hub',
    prepare: breakOff,
    reach: (page) => page.getByRole('heading', { name: 'The hub does not answer' }).waitFor(),
  },
  {
    name: 'the refused key',
    isPublic: false,
    prepare: () => undefined,
    reach: async (page) => {
      await page.getByLabel('API key').fill('wrong')
      await page.keyboard.press('Enter')
      await page.getByText('The hub does not accept this key.').waitFor()
    },
  },
]

describeInChromium('axe-core finds nothing to object to', (openPage) => {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const { name, isPublic = true, width = 1280, prepare, reach } of states) {
      it(`in ${name}, ${colorScheme}`, async () => {
        const hub = await startHub({ isPublic })
        prepare(hub)
        const viewport = { width, height: 800 }
        const page = await openPage(hub.url, { colorScheme, viewport, reducedMotion: 'reduce', mayComplain: FAILED_REQUESTS })
        await reach(page, hub)
        await page.screenshot({ path: picture(`${name}-${colorScheme}`) })
        const { violations, passes } = await new AxeBuilder({ page }).analyze()
        const found = violations.map(
          ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`,
        )
        expect(found).toEqual([])
        expect(passes.map(({ id }) => id)).toContain('color-contrast')
      })
    }
  }
})
