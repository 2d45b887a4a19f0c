import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { describeInChromium, eventually, FAILED_REQUESTS, live, row } from './browser.ts'
import { HubDouble, startHub } from './hub-double.ts'
import { serveFile } from './static-files.ts'

/** A static host of the page that is no hub; `config` is its config.json. */
async function startStaticHost(hubOrigin: string, config: string): Promise<string> {
  const policy = `default-src 'self'; connect-src 'self' ${hubOrigin}; base-uri 'none'; form-action 'none'; object-src 'none'`
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://host').pathname.replace('/farm/', '/')
    if (path === '/config.json') response.writeHead(200, { 'content-type': 'application/json' }).end(config)
    else serveFile(path, response, policy)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const resumedFrom = (hub: HubDouble): (string | undefined)[] =>
  hub.asked.filter(({ path }) => path === '/api/v1/events').map(({ lastEventId }) => lastEventId)

describeInChromium('the connection with the hub', (openPage) => {
  it('resumes a stream that was cut from the last event, and misses nothing', async () => {
    const hub = await startHub()
    hub.put({ name: 'seoul-01' })
    const page = await openPage(hub.url, { mayComplain: FAILED_REQUESTS })
    await live(page)
    hub.put({ name: 'seoul-01', operator: 'KT' })
    await row(page, 'seoul-01').getByText('KT', { exact: true }).waitFor()
    hub.cutStreams()
    await eventually(() => hub.streamCount).toBe(0)
    hub.put({ name: 'seoul-01', operator: 'LG U+' })
    await row(page, 'seoul-01').getByText('LG U+', { exact: true }).waitFor()
    await live(page)
    const [first, second] = resumedFrom(hub)
    expect(second).toBe(first?.replace('-1', '-2'))
    expect(hub.asked.filter(({ path }) => path === '/status')).toHaveLength(1)
  })

  it('keeps the fleet on the page through a restart of the hub, greyed, with its age, and then shows the new state', async () => {
    const before = await HubDouble.start()
    before.put({ name: 'seoul-01', exit_ip: '127.10.1.1' })
    const page = await openPage(before.url, { mayComplain: FAILED_REQUESTS })
    await live(page)
    await page.evaluate(`
      window.wasBlank = false
      new MutationObserver(() => {
        if (!document.querySelector('tbody tr')) window.wasBlank = true
      }).observe(document.body, { subtree: true, childList: true })
    `)
    await before.stop()
    await page.getByText('Reconnecting', { exact: true }).waitFor()
    await page.getByText(/^data is \d+ s old$/).waitFor()
    expect(await page.title()).toBe('Reconnecting · MobilePool')
    await row(page, 'seoul-01').getByText('127.10.1.1').waitFor()
    await eventually(() => page.evaluate(`getComputedStyle(document.querySelector('main > div')).filter`)).toBe('grayscale(1)')

    const after = await HubDouble.start({ port: before.port })
    onTestFinished(() => after.stop())
    after.put({ name: 'seoul-01', exit_ip: '127.10.1.2' })
    after.put({ name: 'busan-03' })
    await row(page, 'seoul-01').getByText('127.10.1.2').waitFor()
    await row(page, 'busan-03').waitFor()
    await live(page)
    expect(await page.evaluate('window.wasBlank')).toBe(false)
    expect(await page.title()).toBe('All well · MobilePool')
  })

  it('closes its stream when the page is left', async () => {
    const hub = await startHub()
    const page = await openPage(hub.url)
    await live(page)
    expect(hub.streamCount).toBe(1)
    await page.goto('about:blank')
    await eventually(() => hub.streamCount).toBe(0)
  })

  it('shows a skeleton while the first answer is on its way', async () => {
    const hub = await startHub()
    let answerNow = (): void => undefined
    hub.intercept = ({ url }, response) => {
      if (url !== '/status') return false
      answerNow = () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"proxies":[],"last_event_id":""}')
      return true
    }
    const page = await openPage(hub.url)
    await page.getByText('Loading the fleet').waitFor({ state: 'attached' })
    await page.getByText('Connecting', { exact: true }).waitFor()
    hub.intercept = null
    answerNow()
    await page.getByRole('heading', { name: 'No devices yet' }).waitFor()
  })

  it('offers the crontab line of this hub while the fleet is empty, and the first heartbeat ends that', async () => {
    const hub = await startHub()
    const page = await openPage(hub.url, { permissions: ['clipboard-read', 'clipboard-write'] })
    await live(page)
    await page.getByRole('button', { name: 'Copy' }).click()
    await page.getByText('Copied', { exact: true }).first().waitFor()
    const line = `* * * * * curl -fsS -m 10 "${hub.url}proxy_server?name=$(hostname)" > /dev/null`
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(line)
    expect(await page.locator('pre').innerText()).toBe(line)
    await page.getByText('127.0.0.1 means this machine alone.').waitFor()
    hub.put({ name: 'test1', kind: 'bare', status: 'pending' })
    await row(page, 'test1').waitFor()
    expect(await page.locator('pre').count()).toBe(0)
  })

  it('names an unreachable hub, and shows the fleet as soon as it answers', async () => {
    const hub = await startHub()
    hub.put({ name: 'seoul-01' })
    hub.intercept = ({ url }, response) => {
      if (url !== '/status') return false
      response.destroy()
      return true
    }
    const page = await openPage(hub.url, { mayComplain: FAILED_REQUESTS })
    await page.getByRole('heading', { name: 'The hub does not answer' }).waitFor()
    await page.getByText(`Nothing answers at ${hub.url}.`).waitFor()
    hub.intercept = null
    await row(page, 'seoul-01').waitFor()
  })

  it('repeats what a hub that is up but cannot answer says, and asks again no sooner than it wants, unless told to', async () => {
    const hub = await startHub()
    hub.put({ name: 'seoul-01' })
    hub.intercept = ({ url }, response) => {
      if (url !== '/status') return false
      const problem = { status: 503, code: 'database_down', detail: 'The database does not answer; <b>heartbeats</b> are kept.' }
      response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '60' }).end(JSON.stringify(problem))
      return true
    }
    const page = await openPage(hub.url, { mayComplain: FAILED_REQUESTS })
    await page.getByRole('heading', { name: 'The hub cannot say how the fleet is' }).waitFor()
    await page.getByText('It answered with status 503.').waitFor()
    await page.getByText('“The database does not answer; <b>heartbeats</b> are kept.”').waitFor()
    expect(hub.asked).toHaveLength(1)
    hub.intercept = null
    await page.locator('main').getByRole('button', { name: 'Try now' }).click()
    await row(page, 'seoul-01').waitFor()
  })

  it.each([
    ['a page', 'text/html', '<!doctype html><title>Router</title>'],
    ['JSON of something else', 'application/json', '{"hello":"world"}'],
    ['half an answer', 'application/json', '{"total":1,"proxies":[{"na'],
  ])('says so when %s answers instead of a hub', async (_, type, body) => {
    const hub = await startHub()
    hub.intercept = ({ url }, response) => {
      if (url !== '/status') return false
      response.writeHead(200, { 'content-type': type }).end(body)
      return true
    }
    const page = await openPage(hub.url)
    await page.getByRole('heading', { name: 'This is not a hub’s answer' }).waitFor()
  })

  it('asks for a key where the status is not public, says when it is refused, keeps it in the tab and gives it back', async () => {
    const hub = await startHub({ isPublic: false, key: 'mp_right' })
    hub.put({ name: 'seoul-01' })
    const page = await openPage(hub.url, { mayComplain: FAILED_REQUESTS })
    await page.getByRole('heading', { name: 'This hub asks for a key' }).waitFor()
    const field = page.getByLabel('API key')
    expect(await page.evaluate('document.activeElement.id')).toBe('key')
    await page.keyboard.press('Enter')
    await page.getByText('Enter a key.').waitFor()
    await field.fill('ключ')
    await page.keyboard.press('Enter')
    await page.getByText('A key holds only letters, digits and signs').waitFor()
    await field.fill('mp_wrong')
    await page.keyboard.press('Enter')
    await page.getByText('The hub does not accept this key.').waitFor()
    expect(await page.evaluate('JSON.stringify(sessionStorage)')).toBe('{}')
    await field.fill('mp_right')
    await page.getByRole('button', { name: 'Open' }).click()
    await row(page, 'seoul-01').waitFor()
    await live(page)
    expect(await page.evaluate('document.activeElement.localName')).toBe('main')
    expect(hub.asked.at(-1)).toMatchObject({ path: '/api/v1/events', authorization: 'Bearer mp_right' })

    // The private view of a device tells where its proxy is, with its password: that never reaches the page.
    hub.put({ name: 'seoul-01', operator: 'KT' })
    await row(page, 'seoul-01').getByText('KT', { exact: true }).waitFor()
    expect(await page.content()).not.toContain('hunter2')

    await page.reload()
    await row(page, 'seoul-01').waitFor()
    await page.getByRole('button', { name: 'Forget key' }).click()
    await page.getByRole('heading', { name: 'This hub asks for a key' }).waitFor()
    expect(await page.evaluate('JSON.stringify(sessionStorage)')).toBe('{}')
    expect(await page.content()).not.toContain('seoul-01')
  })

  it('asks for a key again when the hub withdraws it', async () => {
    const hub = await startHub({ isPublic: false, key: 'mp_right' })
    hub.put({ name: 'seoul-01' })
    const page = await openPage(hub.url, { mayComplain: FAILED_REQUESTS })
    await page.getByLabel('API key').fill('mp_right')
    await page.keyboard.press('Enter')
    await live(page)
    hub.intercept = (_, response) => {
      response.writeHead(401).end()
      return true
    }
    hub.cutStreams()
    await page.getByText('The hub does not accept this key.').waitFor()
    expect(await row(page, 'seoul-01').count()).toBe(0)
  })

  it('reads the hub that config.json names, from any folder of another host', async () => {
    let origin = ''
    const hub = await startHub({
      get allowOrigin() {
        return origin
      },
    })
    hub.put({ name: 'seoul-01' })
    origin = await startStaticHost(new URL(hub.url).origin, JSON.stringify({ hub: hub.url }))
    const page = await openPage(`${origin}/farm/`)
    await row(page, 'seoul-01').waitFor()
    await live(page)
    await page.getByRole('banner').getByText(new URL(hub.url).host).waitFor()
  })

  it('reads the hub that ?hub= names rather than the one of config.json, and gives it no key of another hub', async () => {
    let origin = ''
    const hub = await startHub({
      isPublic: false,
      key: 'mp_other',
      get allowOrigin() {
        return origin
      },
    })
    origin = await startStaticHost(new URL(hub.url).origin, '{"hub":"http://127.0.0.1:1"}')
    const page = await openPage('about:blank', { mayComplain: FAILED_REQUESTS })
    await page.goto(`${origin}/favicon-less`).catch(() => undefined)
    await page.evaluate(`sessionStorage.setItem('mobilepool:key:http://127.0.0.1:1/', 'mp_secret')`)
    await page.goto(`${origin}/?hub=${new URL(hub.url).host}`)
    await page.getByRole('heading', { name: 'This hub asks for a key' }).waitFor()
    await page.getByText(`Sent to ${new URL(hub.url).host} only`).waitFor()
    expect(hub.asked.map(({ authorization }) => authorization)).toEqual([undefined])
  })

  it.each([
    ['?hub=https://user:pw@hub.example', '{}', '?hub= is: https://***@hub.example'],
    ['?hub=http://hub.example/$(reboot)/', '{}', '?hub= is: http://hub.example/$(reboot)/'],
    ['', '{"hub":"ftp://hub.example"}', '"hub" is: ftp://hub.example'],
    ['', '{"hub":17}', '"hub" is: 17'],
    ['', '{hub', '"hub" is: Expected property name'],
  ])('refuses an address that is none: %s %s', async (query, config, said) => {
    const origin = await startStaticHost('', config)
    const page = await openPage(`${origin}/${query}`)
    await page.getByRole('heading', { name: 'The hub’s address cannot be used' }).waitFor()
    await page.getByText(said).waitFor()
    await page.getByText('It has to be like https://hub.example:3001').waitFor()
  })
})
