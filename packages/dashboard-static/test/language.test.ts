import { AxeBuilder } from '@axe-core/playwright'
import { expect, it } from 'vitest'
import { describeInChromium, eventually, FAILED_REQUESTS, live } from './browser.ts'
import { putCast } from './fleets.ts'
import { startHub } from './hub-double.ts'
import { picture } from './pictures.ts'

const firstWords = { en: '1 device silent', ru: '1 устройство молчит', ko: '기기 1대 무응답' } as const

describeInChromium('the language of the page', (openPage) => {
  for (const [tag, headline] of Object.entries(firstWords)) {
    it(`is the browser’s: ${tag} fits at every width, and axe-core has nothing to object to`, async () => {
      const hub = await startHub()
      putCast(hub)
      const page = await openPage(hub.url, { locale: `${tag}-KZ`, reducedMotion: 'reduce' })
      await page.getByRole('heading', { name: headline }).waitFor()
      expect(await page.evaluate('document.documentElement.lang')).toBe(tag)
      expect(await page.title()).toContain(headline)
      await page.locator('header .bg-good').waitFor()
      for (const width of [360, 640, 1280, 1920]) {
        await page.setViewportSize({ width, height: 900 })
        await page.screenshot({ path: picture(`language-${tag}-${width}`) })
        expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
        const { violations } = await new AxeBuilder({ page }).analyze()
        expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('; ')}`)).toEqual([])
      }
    })
  }

  it('can be chosen, and stays chosen', async () => {
    const hub = await startHub()
    putCast(hub)
    const page = await openPage(hub.url)
    await live(page)
    await page.getByLabel('Language').selectOption('한국어')
    await page.getByRole('heading', { name: firstWords.ko }).waitFor()
    await page.reload()
    await page.getByRole('heading', { name: firstWords.ko }).waitFor()
    await page.getByLabel('언어').selectOption('English')
    await page.getByRole('heading', { name: firstWords.en }).waitFor()
    expect(await page.evaluate('document.documentElement.lang')).toBe('en')
  })

  it('is English where the browser’s cannot be loaded; a choice that fails changes nothing and says so', async () => {
    const hub = await startHub()
    putCast(hub)
    hub.intercept = ({ url }, response) => {
      if (!/assets\/(ru|ko)-/.test(url ?? '')) return false
      response.writeHead(503).end()
      return true
    }
    const page = await openPage(hub.url, { locale: 'ru-RU', mayComplain: FAILED_REQUESTS })
    await page.getByRole('heading', { name: firstWords.en }).waitFor()
    await page.getByLabel('Language').selectOption('한국어')
    await page.getByText('This language could not be loaded').waitFor()
    await eventually(() => page.getByLabel('Language').inputValue()).toBe('en')
    await page.getByRole('heading', { name: firstWords.en }).waitFor()
  })
})
