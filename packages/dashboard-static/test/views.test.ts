import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { expect, it, onTestFinished } from 'vitest'
import { describeInChromium, eventually, FAILED_REQUESTS, live, type OpenPage } from './browser.ts'
import { LOOKING, look } from './look.ts'
import { picture } from './pictures.ts'
import { ADMIN_KEY, newDataDir, send, startRealHub } from './real-hub.ts'

type Json = Record<string, unknown>

/** A hub as its owner finds it in the morning: three devices, requests of some hours, an empty battery. */
async function usedHub() {
  const { url } = await startRealHub(newDataDir(), 0, { PUBLIC_STATUS: 'false', ROTATION_MIN_INTERVAL: '0' })
  const api = `${url}api/v1/`
  const admin = (method: string, path: string, body?: unknown) =>
    send(api + path, '127.0.0.1', { method, key: ADMIN_KEY, ...(body === undefined ? {} : { body }) })
  const names = ['busan-03', 'omsk-05', 'a-device-with-a-name-so-long-that-no-table-was-ever-made-for-it-0001']
  const ids: string[] = []
  for (const [index, name] of names.entries()) {
    const body = { name, proxy_url: `http://127.0.0.1:${9001 + index}`, operator: ['KT', 'MTS', 'Operator with a long name'][index] }
    const device = (await admin('POST', 'admin/devices', body)) as { id: string }
    ids.push(device.id)
    await send(`${url}proxy_server?name=${name}`, `127.10.${index + 1}.1`)
  }
  const outcomes = ['answered', 'answered', 'answered', 'banned', 'tunnel_timeout']
  const records = Array.from({ length: 240 }, (_, index) => {
    const outcome = outcomes[index % 5] ?? ''
    const status = outcome === 'answered' ? 200 : outcome === 'banned' ? 403 : null
    return {
      device_id: ids[index % 3],
      exit_ip: `127.10.${(index % 3) + 1}.1`,
      target: `${index % 4 === 0 ? 'shop' : 'news'}.example/list/${index}`,
      method: 'GET',
      status,
      outcome,
      attempt: 1 + (index % 2),
      bytes_out: 0,
      bytes_in: 20_000 + index,
      duration_ms: 80 + 7 * index,
      at: new Date(Date.now() - index * 300_000).toISOString(),
      error: status === null ? 'no tunnel within 10000 ms' : null,
    }
  })
  await admin('POST', 'usage', { id: randomUUID(), records })
  const { token } = (await admin('POST', 'agents/tokens', {})) as { token: string }
  const enrolled = { token, name: 'tired-01', device_type: 'android', agent_version: '0.1.0' }
  const { device_key: key } = (await send(`${api}agents/enroll`, '127.10.4.1', { method: 'POST', body: enrolled })) as {
    device_key: string
  }
  await send(`${api}agents/heartbeat`, '127.10.4.1', {
    method: 'POST',
    key,
    body: { agent_version: '0.1.0', proxy_url: null, methods: [], telemetry: { battery: 4, signal: 60 } },
  })
  return { url, admin, names }
}

async function opened(openPage: OpenPage, url: string, options: object = {}): Promise<Page> {
  const page = await openPage(url, { mayComplain: FAILED_REQUESTS, reducedMotion: 'reduce', ...options })
  await page.locator('#key').fill(ADMIN_KEY)
  await page.keyboard.press('Enter')
  await page.locator('nav').waitFor()
  return page
}

const to = (page: Page, view: string): Promise<void> => page.getByRole('navigation').getByRole('link', { name: view }).click()
const lines = (page: Page, table: string) => page.getByRole('group', { name: table }).getByRole('row')

describeInChromium('the views beside the fleet, on the real hub', (openPage) => {
  it('statistics: figures, charts by keyboard and as tables, groups, sites, an export', LOOKING, async () => {
    const { url } = await usedHub()
    const page = await opened(openPage, url)
    await live(page)
    await to(page, 'Statistics')
    await page.getByRole('heading', { name: 'Statistics', level: 1 }).waitFor()
    const facts = page.locator('dl')
    await eventually(() => facts.innerText()).toMatch(/Requests\s+240/)
    expect(await facts.innerText()).toMatch(/Successful\s+60%/)

    await page.screenshot({ path: picture('statistics-24h') })

    const chart = page.getByRole('slider', { name: 'Requests' })
    await chart.focus()
    const latest = await chart.getAttribute('aria-valuetext')
    expect(latest).toMatch(/^.+, Successful: \d+, Banned: \d+, Failed: \d+$/)
    await page.keyboard.press('Home')
    expect(await chart.getAttribute('aria-valuenow')).toBe('0')
    await page.keyboard.press('ArrowRight')
    expect(await chart.getAttribute('aria-valuenow')).toBe('1')
    await page.keyboard.press('End')
    expect(await chart.getAttribute('aria-valuetext')).toBe(latest)
    const asTable = page.getByRole('region', { name: 'Requests' })
    await asTable.getByText('As a table').click()
    const cells = await asTable.getByRole('cell').allInnerTexts()
    expect(cells.reduce((sum, text) => sum + Number(text), 0)).toBe(240)

    await eventually(() => lines(page, 'By device or group').count()).toBe(5)
    await page.getByRole('button', { name: 'Operator', exact: true }).click()
    await page.getByRole('columnheader', { name: 'Operator' }).waitFor()
    await eventually(() => lines(page, 'By device or group').nth(1).innerText()).toContain('1 device')
    await page.getByRole('button', { name: '7 days' }).click()
    await eventually(() => page.url()).toContain('#/statistics?period=7d&by=operator')
    await eventually(() => lines(page, 'Sites with the most requests').nth(1).innerText()).toMatch(/^news\.example\s+180\s+/)

    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Save as CSV' }).click()
    const file = await download
    expect(file.suggestedFilename()).toBe('mobilepool-7d.csv')
    const stream = await file.createReadStream()
    let text = ''
    for await (const chunk of stream) text += String(chunk)
    expect(text).toContain('busan-03')
    await look(page, 'statistics')
  })

  it('logs: requests with filters, older ones, what is new by itself, rotations, exit IPs, changes', LOOKING, async () => {
    const { url, admin } = await usedHub()
    const page = await opened(openPage, url)
    await to(page, 'Logs')
    await eventually(() => lines(page, 'Requests').count()).toBe(101)
    await page.getByRole('button', { name: 'Show older' }).click()
    await eventually(() => lines(page, 'Requests').count()).toBe(201)
    await page.getByLabel('Outcome').fill('tunnel_timeout')
    await eventually(() => lines(page, 'Requests').count()).toBe(49)
    await page.getByLabel('Device').fill('omsk-05')
    await eventually(() => lines(page, 'Requests').count()).toBe(17)
    expect(page.url()).toContain('#/logs?device=omsk-05&outcome=tunnel_timeout')
    await look(page, 'logs')

    await page.getByRole('button', { name: 'Changes' }).click()
    await eventually(() => lines(page, 'Changes').nth(1).innerText()).toContain('POST /api/v1/')
    await admin('PATCH', 'admin/devices/busan-03', { maintenance: true })
    await eventually(() => lines(page, 'Changes').nth(1).innerText()).toContain('maintenance')
    await look(page, 'logs-changes')
    await page.getByRole('button', { name: 'Exit IPs' }).click()
    await eventually(() => page.getByRole('group', { name: 'Exit IPs' }).innerText()).toContain('127.10.2.1')
    await page.getByRole('button', { name: 'Rotations' }).click()
    await page.getByText('None yet').waitFor()
  })

  it('alerts: what fires, who looks after it; a channel is added, tested, and says when its far end refuses', LOOKING, async () => {
    const { url } = await usedHub()
    const page = await opened(openPage, url)
    await to(page, 'Alerts')
    const firing = page.getByRole('region', { name: 'Firing now' })
    await firing.getByText('low battery', { exact: false }).first().waitFor({ timeout: 60_000 })
    await firing.getByRole('button', { name: 'I look after it' }).click()
    await firing.getByText(/looks after it/).waitFor()

    let answer = 200
    const heard: Json[] = []
    const far = createServer((request, reply) => {
      let text = ''
      request.on('data', (chunk) => {
        text += String(chunk)
      })
      request.on('end', () => {
        heard.push(JSON.parse(text) as Json)
        reply.writeHead(answer).end()
      })
    }).listen(0, '127.0.0.1')
    await once(far, 'listening')
    onTestFinished(() => void far.close())
    const channels = page.getByRole('region', { name: 'Where alerts are told' })
    await channels.getByRole('button', { name: 'Webhook' }).click()
    await channels.getByRole('button', { name: 'Add', exact: true }).click()
    await channels.getByRole('alert').filter({ hasText: 'name' }).waitFor()
    await channels.getByLabel('Name').fill('night watch')
    await channels.getByLabel('Address').fill(`http://127.0.0.1:${(far.address() as AddressInfo).port}/alerts`)
    await channels.getByRole('button', { name: 'Add', exact: true }).click()
    await channels.getByText('Shown this once: keep it now.').waitFor()
    await channels.getByRole('button', { name: 'Send a test' }).click()
    await channels.getByText(/^The far end took the test/).waitFor()
    expect(heard.length).toBeGreaterThan(0)
    answer = 500
    await channels.getByRole('button', { name: 'Send a test' }).click()
    await channels.getByText(/^The test did not get there: .*500/).waitFor()
    await look(page, 'alerts')
    await channels.getByRole('button', { name: 'Remove' }).click()
    await channels.getByRole('button', { name: 'Yes' }).click()
    await channels.getByText('Nowhere yet').waitFor()
  })

  it('adds a device: commands with a fresh token that enrols, a proxy URL, and the hub’s words for what is wrong', LOOKING, async () => {
    const { url } = await usedHub()
    const page = await opened(openPage, url)
    await to(page, 'Add a device')
    await page.getByRole('button', { name: 'Make a token' }).click()
    const commands = page.locator('pre').filter({ hasText: 'mobilepool-agent enroll' })
    await commands.waitFor()
    const [, token = ''] = /--token (\S+)/.exec(await commands.innerText()) ?? []
    expect(await commands.innerText()).toContain(`--hub ${url.replace(/\/$/, '')} `)
    const body = { token, name: 'new-one', device_type: 'android', agent_version: '0.1.0' }
    expect(await send(`${url}api/v1/agents/enroll`, '127.10.9.1', { method: 'POST', body })).toMatchObject({ name: 'new-one' })

    await page.getByLabel('Name').fill('box-07')
    await page.getByLabel('Proxy URL').fill('10.0.0.7')
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await page.getByRole('alert').filter({ hasText: 'proxy_url' }).waitFor()
    await page.getByLabel('Proxy URL').fill('http://u:hunter2@127.0.0.1:9009')
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await page.getByText('box-07 is in the fleet.').waitFor()
    await look(page, 'add')
    expect(await page.content()).not.toContain('hunter2')
    await page.getByRole('link', { name: 'Look at it' }).click()
    await page.getByRole('heading', { name: 'box-07', level: 1 }).waitFor()
  })

  it.each(['ru', 'ko'])('says everything in %s, on a phone too', LOOKING, async (language) => {
    const { url } = await usedHub()
    const page = await opened(openPage, url, { locale: language, viewport: { width: 360, height: 800 } })
    for (const view of ['statistics', 'logs', 'alerts', 'add']) {
      await page.evaluate(`location.hash = '#/${view}'`)
      await page.locator('h1').waitFor()
      await eventually(() => page.locator('main').innerText()).toMatch(language === 'ru' ? /[А-я]{3}/ : /[가-힣]{2}/)
      await look(page, `${view}-${language}`, [360])
    }
  })
})
