import { expect, it } from 'vitest'
import { describeInChromium, live, row } from './browser.ts'
import { putCast } from './fleets.ts'
import { startHub } from './hub-double.ts'

const patience = { timeout: 30_000, interval: 50 }
const ago = (ms: number): string => new Date(Date.now() - ms).toISOString()

describeInChromium('the fleet', (openPage) => {
  it('shows every device with status, exit IP, last heartbeat, IP changes and rotations', async () => {
    const hub = await startHub()
    putCast(hub)
    const page = await openPage(hub.url)
    const cells = async (name: string): Promise<string[]> => {
      const texts = await row(page, name).locator('th, td').allInnerTexts()
      return texts.map((text) => text.replace(/\s+/g, ' ').trim())
    }
    await live(page)
    expect(await cells('seoul-01')).toEqual([
      'Online',
      'seoul-01 Android',
      'SKT Seoul',
      '112.161.54.7 for 2 h 14 min',
      expect.stringMatching(/^\d+ s ago$/),
      '41',
      '40 changed, 1 unchanged',
      'Changed in 8.4 s 2 h 14 min ago, by interval',
    ])
    expect(await cells('moscow-07')).toEqual([
      'Offline',
      'moscow-07 USB modem',
      'MTS Moscow',
      '95.25.14.203 for 1 d 1 h',
      '14 min ago',
      '12',
      '10 changed, 4 unchanged, 3 failed',
      'Failed after 2 min did not come back online 14 min ago, after a ban',
    ])
    expect(await cells('test1')).toEqual([
      'Pending not adopted',
      'test1 Proxy server',
      '',
      '10.20.30.40',
      expect.stringMatching(/^5\d s ago$/),
      '0',
      'None yet',
      'None yet',
    ])
    expect((await cells('busan-03'))[0]).toBe('Rotating')
    expect((await cells('kazan-02'))[0]).toBe('Maintenance')
    expect((await cells('omsk-05'))[0]).toBe('Busy')
  })

  it('says in headline, tab title and tab icon whether all is well', async () => {
    const hub = await startHub()
    hub.put({ name: 'seoul-01' })
    hub.put({ name: 'moscow-07' })
    const page = await openPage(hub.url)
    const icon = () => page.locator('link[rel=icon]').getAttribute('href')
    await page.getByRole('heading', { name: 'All well' }).waitFor()
    expect(await page.title()).toBe('All well · MobilePool')
    expect(await icon()).toMatch(/well-.*\.svg$/)

    hub.put({ name: 'moscow-07', status: 'offline' })
    await page.getByRole('heading', { name: '1 device silent' }).waitFor()
    hub.put({ name: 'seoul-01', status: 'offline' })
    await page.getByRole('heading', { name: '2 devices silent' }).waitFor()
    expect(await page.title()).toBe('2 devices silent · MobilePool')
    expect(await icon()).toMatch(/silent-.*\.svg$/)
    await page.getByText('No heartbeat from moscow-07, seoul-01.').waitFor()
  })

  it('follows a heartbeat without a reload, and counts the seconds since it by itself', async () => {
    const hub = await startHub()
    hub.put({ name: 'seoul-01', last_heartbeat: ago(20_000) })
    const page = await openPage(hub.url)
    await live(page)
    /** Seconds that the row says; a busy machine may skip some. */
    const seconds = async (): Promise<number> => {
      const text = await row(page, 'seoul-01')
        .getByText(/^(now|\d+ s ago)$/)
        .first()
        .textContent()
      return Number.parseInt(text ?? '', 10) || 0
    }
    const counts = async (from: number): Promise<void> => expect.poll(seconds, patience).toBeGreaterThan(from)
    const opened = await seconds()
    expect(opened).toBeGreaterThanOrEqual(20)
    await counts(opened)
    hub.beat('seoul-01')
    await expect.poll(seconds, patience).toBeLessThan(15)
    const heard = await seconds()
    await counts(heard)
    await counts(heard + 1)
    expect(hub.asked.filter(({ path }) => path === '/status')).toHaveLength(1)
  })

  it('goes by the hub’s clock where the browser’s is wrong', async () => {
    const hub = await startHub()
    hub.put({ name: 'seoul-01', last_heartbeat: ago(20_000) })
    const page = await openPage('about:blank')
    await page.clock.install({ time: Date.now() - 3_600_000 })
    await page.goto(hub.url)
    await row(page, 'seoul-01')
      .getByText(/^2\d s ago$/)
      .waitFor()
  })

  it('shows a new exit IP, its age and the count of changes at once', async () => {
    const hub = await startHub()
    hub.put({ name: 'busan-03', exit_ip: '127.10.3.1', ip_since: ago(7_200_000), ip_changes: 4 })
    const page = await openPage(hub.url)
    await row(page, 'busan-03').getByText('for 2 h', { exact: true }).waitFor()
    await live(page)
    hub.changeIp('busan-03', '127.10.3.2')
    await row(page, 'busan-03').getByText('127.10.3.2', { exact: true }).waitFor()
    expect(await row(page, 'busan-03').getByText('127.10.3.1', { exact: true }).count()).toBe(0)
    await row(page, 'busan-03')
      .getByText(/^for [012] s$/)
      .waitFor()
    await row(page, 'busan-03').getByRole('cell', { name: '5', exact: true }).waitFor()
  })

  it('shows how far a rotation is while it runs, and its outcome when it has ended', async () => {
    const hub = await startHub()
    hub.put({ name: 'busan-03', rotations: { changed: 2, unchanged: 0, failed: 0 } })
    const page = await openPage(hub.url)
    await live(page)
    const { id, created_at } = hub.rotate('busan-03', 'queued')
    const busan = row(page, 'busan-03')
    await busan.getByText('Queued').waitFor()
    hub.put({ name: 'busan-03', status: 'rotating' })
    for (const [state, word] of [
      ['draining', 'Draining'],
      ['verifying', 'Verifying'],
    ] as const) {
      hub.rotate('busan-03', state, { id, created_at })
      await busan.getByText(word).waitFor()
    }
    expect(await busan.getByText('Rotating').count()).toBe(1)

    hub.rotate('busan-03', 'unchanged', { id, created_at, ended_at: new Date().toISOString(), duration_ms: 9_440 })
    hub.put({ name: 'busan-03', status: 'online' })
    await busan.getByText('Unchanged after 9.4 s').waitFor()
    await busan.getByText('2 changed, 1 unchanged').waitFor()
    await busan.getByText('Online').waitFor()
    expect(await busan.getByText('Verifying').count()).toBe(0)
  })

  it('says that a device rotates also when it opens in the midst of it', async () => {
    const hub = await startHub()
    hub.put({ name: 'busan-03', status: 'rotating' })
    const page = await openPage(hub.url)
    await row(page, 'busan-03').getByRole('cell', { name: 'Rotating' }).last().waitFor()
    expect(await row(page, 'busan-03').getByText('Rotating').count()).toBe(2)
  })

  it('adds a device that appears and drops one that is removed', async () => {
    const hub = await startHub()
    hub.put({ name: 'seoul-01' })
    const page = await openPage(hub.url)
    await live(page)
    hub.put({ name: 'busan-03', status: 'pending' })
    await row(page, 'busan-03').getByText('not adopted').waitFor()
    await page.getByText('1 new name waits to be adopted.').waitFor()
    expect(await page.getByRole('rowheader').allInnerTexts()).toEqual([
      expect.stringContaining('busan-03'),
      expect.stringContaining('seoul-01'),
    ])
    hub.remove('seoul-01')
    await row(page, 'seoul-01').waitFor({ state: 'detached' })
    await page.getByRole('heading', { name: '1 device waits to be adopted' }).waitFor()
  })

  it('draws nothing anew but the row that an event is about', async () => {
    const hub = await startHub()
    for (const name of ['seoul-01', 'busan-03', 'omsk-05']) hub.put({ name })
    const page = await openPage(hub.url)
    await live(page)
    await page.evaluate(`
      window.drawn = new Set()
      new MutationObserver((changes) => {
        for (const { target } of changes) {
          const element = target.nodeType === 1 ? target : target.parentElement
          if (!element.closest('time')) window.drawn.add(element.closest('tr')?.querySelector('th bdi').textContent ?? element.tagName)
        }
      }).observe(document.getElementById('devices'), { subtree: true, childList: true, characterData: true, attributes: true })
    `)
    hub.put({ name: 'busan-03', operator: 'LG U+' })
    hub.changeIp('busan-03', '127.10.3.77')
    hub.beat('seoul-01', 'omsk-05')
    await row(page, 'busan-03').getByText('127.10.3.77').waitFor()
    await row(page, 'busan-03').getByText('LG U+').waitFor()
    expect(await page.evaluate('[...window.drawn]')).toEqual(['busan-03'])
  })

  it('copies an exit IP', async () => {
    const hub = await startHub()
    hub.put({ name: 'seoul-01', exit_ip: '112.161.54.7' })
    const page = await openPage(hub.url, { permissions: ['clipboard-read', 'clipboard-write'] })
    await page.getByRole('button', { name: 'Copy 112.161.54.7' }).click()
    await page.getByText('Copied', { exact: true }).waitFor()
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('112.161.54.7')
  })

  it('copies on plain http too, where browsers have no clipboard interface', async () => {
    const hub = await startHub()
    hub.put({ name: 'seoul-01', exit_ip: '112.161.54.7' })
    const page = await openPage(hub.url, { permissions: ['clipboard-read', 'clipboard-write'] })
    await page.evaluate(`
      window.readBack = () => Clipboard.prototype.readText.call(window.kept)
      window.kept = navigator.clipboard
      Object.defineProperty(navigator, 'clipboard', { value: undefined })
    `)
    await page.getByRole('button', { name: 'Copy 112.161.54.7' }).click()
    await page.getByText('Copied', { exact: true }).waitFor()
    expect(await page.evaluate('window.readBack()')).toBe('112.161.54.7')
    expect(await page.evaluate('document.activeElement.ariaLabel')).toBe('Copy 112.161.54.7')
  })

  it('draws a few hundred rows of a large fleet, and the others when asked', async () => {
    const hub = await startHub()
    for (let n = 0; n < 400; n += 1) hub.put({ name: `farm-${n}` })
    const page = await openPage(hub.url)
    await page.getByText('Showing 300 of 400').waitFor()
    expect(await page.getByRole('rowheader').count()).toBe(300)
    await page.getByRole('button', { name: 'Show 100 more' }).click()
    await row(page, 'farm-399').waitFor()
    expect(await page.getByRole('rowheader').count()).toBe(400)
  })
})
