import { expect, it } from 'vitest'
import { describeInChromium, eventually, live } from './browser.ts'
import { startHub } from './hub-double.ts'

const MARKUP = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>{{constructor}}'

describeInChromium('a hub that nobody should trust', (openPage) => {
  it('gets its markup shown as text, in every field and by events too', async () => {
    const hub = await startHub()
    const line = (id: string) => ({
      id,
      name: MARKUP,
      status: 'online',
      operator: MARKUP,
      region: MARKUP,
      remote_ip: MARKUP,
      device_type: MARKUP,
    })
    hub.intercept = ({ url }, response) => {
      if (url !== '/status') return false
      const reply = { proxies: [line('a')], last_event_id: hub.position, timestamp: MARKUP }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reply))
      return true
    }
    const page = await openPage(hub.url)
    await page.getByRole('rowheader').getByText(MARKUP, { exact: true }).waitFor()
    await eventually(() => hub.streamCount).toBe(1)
    hub.sendRaw(`event: device\ndata: ${JSON.stringify(line('b'))}\n\n`)
    await eventually(() => page.getByRole('rowheader').count()).toBe(2)
    expect(await page.getByRole('cell', { name: MARKUP }).count()).toBe(2)
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect(await page.evaluate('window.owned')).toBe(undefined)
    expect(await page.getByText('No address yet').count()).toBe(2)
  })

  it('cannot break the page with nonsense: what can be read is shown, and events go on', async () => {
    const hub = await startHub()
    const good = hub.put({ name: 'seoul-01' })
    const page = await openPage(hub.url)
    await live(page)
    const oddities = [
      'event: device\ndata: {"id":\n\n',
      'event: device\ndata: null\n\n',
      `event: device\ndata: ${JSON.stringify({ id: 'n', name: 'odd', rotations: 'x', last_rotation: [], ip_changes: -1, last_seen: 'soon', status: '__proto__' })}\n\n`,
      'event: heartbeats\ndata: {"devices":[null,7,{"id":"nobody","last_seen":"2025-08-08T05:23:08.287Z"}]}\n\n',
      'event: ip_changed\ndata: {"id":"nobody","new_ip":"1.2.3.4","at":"2025-08-08T05:23:08.287Z"}\n\n',
      `event: rotation\ndata: ${JSON.stringify({ id: 'r', device_id: good.id, state: 'toString', created_at: good.created_at })}\n\n`,
      'event: __proto__\ndata: {}\n\n',
      'event: constructor\ndata: {}\n\n',
      'id: a\u2028b\nevent: device_removed\ndata: {"id":"nobody"}\n\n',
      `: ${'x'.repeat(100_000)}\n\n`,
    ]
    for (const text of oddities) hub.sendRaw(text)
    await page.getByRole('rowheader', { name: 'odd' }).waitFor()
    await page.getByRole('row').filter({ hasText: 'odd' }).getByText('Unknown').waitFor()
    hub.put({ name: 'seoul-01', operator: 'KT' })
    await page.getByRole('cell', { name: 'KT' }).waitFor()
    expect(await page.getByRole('rowheader').count()).toBe(2)
    expect(hub.streamCount).toBe(1)
  })

  it('cannot fill the browser’s memory with one event that never ends', async () => {
    const hub = await startHub()
    hub.put({ name: 'seoul-01' })
    const page = await openPage(hub.url)
    await live(page)
    for (let n = 0; n < 60; n += 1) hub.sendRaw(`data: ${'x'.repeat(100_000)}\n`)
    await eventually(() => hub.asked.filter(({ path }) => path === '/api/v1/events').length).toBe(2)
    await live(page)
  })
})
