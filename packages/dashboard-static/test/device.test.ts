import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { describeInChromium, FAILED_REQUESTS, live, row } from './browser.ts'
import { picture } from './pictures.ts'
import { ADMIN_KEY, newDataDir, send, startRealHub } from './real-hub.ts'

interface Agent {
  beat: (from: string) => Promise<unknown>
  /** Waits for the next command and reports its steps; `to` null: it fails. */
  obey: (from: string, to: string | null) => Promise<void>
}

/** An agent's part of the real hub's API, spoken by hand so that the test decides when a step happens. */
async function enrol(url: string, name: string, from: string): Promise<Agent> {
  const api = `${url}api/v1/`
  const { token } = (await send(`${api}agents/tokens`, '127.0.0.1', { method: 'POST', key: ADMIN_KEY, body: {} })) as { token: string }
  const body = { token, name, device_type: 'android', agent_version: '0.1.0' }
  const { device_key: key } = (await send(`${api}agents/enroll`, from, { method: 'POST', body })) as { device_key: string }
  const telemetry = { network_type: '5G', signal: 71, battery: 64, temperature: 38.5 }
  const beat = (address: string) =>
    send(`${api}agents/heartbeat`, address, {
      method: 'POST',
      key,
      body: { agent_version: '0.1.0', proxy_url: 'http://u:hunter2@127.0.0.1:9999', methods: ['airplane_mode'], telemetry },
    })
  await beat(from)
  return {
    beat,
    async obey(old, to) {
      const { commands } = (await send(`${api}agents/commands?wait=20`, old, { key })) as { commands: { id: string }[] }
      const report = (state: string, address: string, more: object) =>
        send(`${api}agents/commands/${commands[0]?.id}`, address, {
          method: 'POST',
          key,
          body: { state, method: 'airplane_mode', old_ip: old, new_ip: null, reason: null, detail: null, ...more },
        })
      await report('rotating', old, {})
      if (to === null) return void (await report('failed', old, { reason: 'sim_locked', detail: 'PIN is asked for.' }))
      await report('verifying', to, {})
      await beat(to)
      await report('changed', to, { new_ip: to })
    },
  }
}

async function openWithKey(page: Page, name: string): Promise<void> {
  await page.getByLabel('API key').fill(ADMIN_KEY)
  await page.keyboard.press('Enter')
  await live(page)
  await row(page, name).getByRole('link', { name }).click()
  await page.getByRole('heading', { name, level: 1 }).waitFor()
}

const button = (page: Page, name: string) => page.getByRole('group', { name: 'What can be done' }).getByRole('button', { name })

describeInChromium('a device’s own view, on the real hub', (openPage) => {
  it('rotates and says which IP came of it, or why none; puts into maintenance and back', async () => {
    const { url } = await startRealHub(newDataDir(), 0, { PUBLIC_STATUS: 'false', ROTATION_MIN_INTERVAL: '0', ROTATION_ATTEMPTS: '1' })
    const agent = await enrol(url, 'busan-03', '127.10.3.1')
    const page = await openPage(url, { mayComplain: FAILED_REQUESTS, reducedMotion: 'reduce' })
    await openWithKey(page, 'busan-03')
    await page.getByText('5G', { exact: true }).waitFor()
    await page.getByText('71%', { exact: true }).waitFor()

    const obeyed = agent.obey('127.10.3.1', '127.10.3.2')
    await button(page, 'Rotate now').click()
    await obeyed
    await page.getByText(/^New exit IP 127\.10\.3\.2, in /).waitFor()
    await page.getByText('127.10.3.1 → 127.10.3.2', { exact: true }).waitFor()
    await page.getByRole('listitem').filter({ hasText: '127.10.3.2' }).filter({ hasText: 'now' }).first().waitFor()

    const failed = agent.obey('127.10.3.2', null)
    await button(page, 'Rotate now').click()
    await failed
    await page.getByRole('status').getByText('Failed: SIM locked: PIN is asked for.').waitFor()

    await button(page, 'Into maintenance').click()
    await page.getByText('In maintenance: no new requests').waitFor()
    await page.getByText('Maintenance', { exact: true }).waitFor()
    await button(page, 'Out of maintenance').click()
    await page.getByText('Online', { exact: true }).waitFor()

    await button(page, 'Restart').click()
    await page.getByText('Restart busan-03? It is away for some minutes.').waitFor()
    await button(page, 'No').click()
    await button(page, 'Restart').waitFor()

    for (const [width, colorScheme] of [
      [360, 'dark'],
      [1280, 'light'],
    ] as const) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme })
      await page.screenshot({ path: picture(`device-${width}-${colorScheme}`), fullPage: true })
      const { violations } = await new AxeBuilder({ page }).analyze()
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('; ')}`)).toEqual([])
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
    }
    expect(await page.content()).not.toContain('hunter2')
    await page.getByRole('link', { name: 'All devices' }).click()
    await row(page, 'busan-03').waitFor()
  })

  it('shows a refusal in the hub’s own words, and says when there is no such device', async () => {
    const { url } = await startRealHub(newDataDir(), 0, { PUBLIC_STATUS: 'false' })
    await send(`${url}api/v1/admin/devices`, '127.0.0.1', {
      method: 'POST',
      key: ADMIN_KEY,
      body: { name: 'seoul-01', proxy_url: 'http://127.0.0.1:9999' },
    })
    const page = await openPage(url, { mayComplain: FAILED_REQUESTS })
    await openWithKey(page, 'seoul-01')
    await button(page, 'Rotate now').click()
    const status = page.getByRole('group', { name: 'What can be done' }).getByRole('status')
    await expect
      .poll(() => status.innerText(), { timeout: 30_000 })
      .toBe('The hub has no way to rotate seoul-01: it runs no agent and has no rotation_url.')
    await page.evaluate(`location.hash = '#/devices/nobody'`)
    await page.getByRole('heading', { name: 'There is no device nobody' }).waitFor()
  })
})
