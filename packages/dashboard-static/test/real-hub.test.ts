import type { DeviceJson } from '@mobilepool/sdk/contract'
import { expect, it } from 'vitest'
import { describeInChromium, eventually, FAILED_REQUESTS, live, row } from './browser.ts'
import { ADMIN_KEY, newDataDir, send, startRealHub } from './real-hub.ts'

describeInChromium('the page on the real hub', (openPage) => {
  it('goes from the empty fleet to a crontab device and its new exit IP', async () => {
    const hub = await startRealHub(newDataDir(), 0)
    const page = await openPage(hub.url)
    await page.getByText(`* * * * * curl -fsS -m 10 "${hub.url}proxy_server?name=$(hostname)" > /dev/null`).waitFor()
    await live(page)
    await send(`${hub.url}proxy_server?name=test1`, '127.10.9.8')
    const test1 = row(page, 'test1')
    await test1.getByText('Pending').waitFor()
    await test1.getByText('127.10.9.8', { exact: true }).waitFor()
    await send(`${hub.url}proxy_server?name=test1`, '127.10.9.9')
    await test1.getByText('127.10.9.9', { exact: true }).waitFor()
    await test1.getByRole('cell', { name: '1', exact: true }).waitFor()
    await test1.getByText(/^for \d+ s$/).waitFor()

    await send(`${hub.url}api/v1/admin/devices`, '127.0.0.1', {
      method: 'POST',
      key: ADMIN_KEY,
      body: { name: 'test1', operator: 'MTS', region: 'Kazan', proxy_url: 'http://user:hunter2@127.0.0.1:9999' },
    })
    await test1.getByText('Online').waitFor()
    await test1.getByText('Kazan').waitFor()
    await page.getByRole('heading', { name: 'All well' }).waitFor()
    await send(`${hub.url}api/v1/admin/devices/test1`, '127.0.0.1', { method: 'DELETE', key: ADMIN_KEY })
    await test1.waitFor({ state: 'detached' })
  })

  it('shows a rotation of an agent’s device from beginning to end', async () => {
    const hub = await startRealHub(newDataDir(), 0)
    const api = `${hub.url}api/v1/`
    const { token } = (await send(`${api}agents/tokens`, '127.0.0.1', { method: 'POST', key: ADMIN_KEY, body: {} })) as { token: string }
    const enrolment = { token, name: 'busan-03', device_type: 'android', agent_version: '0.1.0' }
    const { device_key: key } = (await send(`${api}agents/enroll`, '127.10.3.1', { method: 'POST', body: enrolment })) as {
      device_key: string
    }
    const heartbeat = { agent_version: '0.1.0', proxy_url: 'http://127.0.0.1:9999', methods: ['airplane_mode'] }
    const beatFrom = (address: string): Promise<unknown> =>
      send(`${api}agents/heartbeat`, address, { method: 'POST', key, body: heartbeat })
    await beatFrom('127.10.3.1')

    const page = await openPage(hub.url)
    const busan = row(page, 'busan-03')
    await busan.getByText('Online').waitFor()
    await live(page)
    const commands = send(`${api}agents/commands?wait=20`, '127.10.3.1', { key })
    await send(`${api}admin/devices/busan-03/rotate`, '127.0.0.1', { method: 'POST', key: ADMIN_KEY, body: {} })
    const {
      commands: [command],
    } = (await commands) as { commands: { id: string }[] }
    const report = (state: string, from: string, new_ip: string | null): Promise<unknown> =>
      send(`${api}agents/commands/${command?.id}`, from, {
        method: 'POST',
        key,
        body: { state, method: 'airplane_mode', old_ip: '127.10.3.1', new_ip, reason: null, detail: null },
      })
    await report('rotating', '127.10.3.1', null)
    await busan.getByRole('cell', { name: 'Rotating' }).first().waitFor()
    await report('verifying', '127.10.3.2', null)
    await busan.getByText('Verifying').waitFor()
    await beatFrom('127.10.3.2')
    await report('changed', '127.10.3.2', '127.10.3.2')
    await busan.getByText(/Changed in \d/).waitFor()
    await busan.getByText('1 changed', { exact: true }).waitFor()
    await busan.getByText('127.10.3.2', { exact: true }).waitFor()
    await busan.getByText('Online').waitFor()
  })

  it('keeps the fleet through kill -9 and start of the hub', async () => {
    const dataDir = newDataDir()
    const before = await startRealHub(dataDir, 0)
    await send(`${before.url}proxy_server?name=test1`, '127.10.9.8')
    const page = await openPage(before.url, { mayComplain: FAILED_REQUESTS })
    await row(page, 'test1').waitFor()
    await live(page)
    await before.kill()
    await page.getByText('Reconnecting', { exact: true }).waitFor()
    await row(page, 'test1').getByText('127.10.9.8').waitFor()
    const after = await startRealHub(dataDir, Number(new URL(before.url).port))
    await send(`${after.url}proxy_server?name=test2`, '127.10.9.9')
    // As when a laptop is opened: the wait that is under way ends.
    await eventually(async () => {
      await page.evaluate(`dispatchEvent(new Event('online'))`)
      return row(page, 'test2').count()
    }).toBe(1)
    await live(page)
    expect(await page.getByRole('rowheader').count()).toBe(2)
  })

  it('opens a status that is not public with a key, and then hears the private view of the same events', async () => {
    const hub = await startRealHub(newDataDir(), 0, { PUBLIC_STATUS: 'false' })
    const page = await openPage(hub.url, { mayComplain: FAILED_REQUESTS })
    await page.getByLabel('API key').fill('mp_wrong')
    await page.keyboard.press('Enter')
    await page.getByText('The hub does not accept this key.').waitFor()
    await page.getByLabel('API key').fill(ADMIN_KEY)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'No devices yet' }).waitFor()
    await live(page)
    const created = await send(`${hub.url}api/v1/admin/devices`, '127.0.0.1', {
      method: 'POST',
      key: ADMIN_KEY,
      body: { name: 'omsk-05', operator: 'Beeline', proxy_url: 'http://user:hunter2@127.0.0.1:9999' },
    })
    expect((created as DeviceJson).proxy_url).toContain('hunter2')
    await row(page, 'omsk-05').getByText('Beeline').waitFor()
    expect(await page.content()).not.toContain('hunter2')
  })
})
