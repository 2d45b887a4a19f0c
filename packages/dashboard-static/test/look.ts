import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { picture } from './pictures.ts'

/** For tests that look: an audit of a long page is seconds of work where nothing else runs, and they do up to a dozen. */
export const LOOKING = { timeout: 360_000 }

/** Pictures, and what no view may have: violations, or a page that is wider than its window. */
export async function look(page: Page, name: string, widths: readonly number[] = [360, 1280, 1920]): Promise<void> {
  for (const width of widths) {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme })
      await page.screenshot({ path: picture(`${name}-${width}-${colorScheme}`), fullPage: true })
      const { violations } = await new AxeBuilder({ page }).analyze()
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('; ')}`)).toEqual([])
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
    }
  }
}
