import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { describeInChromium, FAILED_REQUESTS, live, row } from './browser.ts'
import { picture } from './pictures.ts'
import { ADMIN_KEY, newDataDir, send, startRealHub } from './real-hub.ts'

const PASSWORD = 'ivan and ten more'

/** A hub of its own that shows nothing without a login, with a device and the user ivan. */
async function privateHub(): Promise<{ url: string; userId: string }> {
  const { url } = await startRealHub(newDataDir(), 0, { PUBLIC_STATUS: 'false' })
  await send(`${url}proxy_server?name=seoul-01`, '127.10.9.8')
  const make = (username: string) =>
    send(`${url}api/v1/users`, '127.0.0.1', { method: 'POST', key: ADMIN_KEY, body: { username, password: PASSWORD, role: 'admin' } })
  // The hub keeps its last active admin: with olga, ivan is not.
  await make('olga')
  const { id } = (await make('ivan')) as { id: string }
  return { url, userId: id }
}

async function logIn(page: Page, password = PASSWORD): Promise<void> {
  await page.getByLabel('User name').fill('ivan')
  await page.getByLabel('Password').fill(password)
  await page.keyboard.press('Enter')
}

/** All that a script of the page can read. */
const readable = (page: Page): Promise<string> =>
  page.evaluate(`JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])`)

describeInChromium('logging in to the real hub', (openPage) => {
  it('needs the right password, stays through a reload by a cookie that no script can read, and ends', async () => {
    const hub = await privateHub()
    const page = await openPage(hub.url, { mayComplain: FAILED_REQUESTS })
    await page.getByRole('link', { name: 'Log in with user name and password instead' }).click()
    await page.getByLabel('User name').waitFor()
    await page.keyboard.press('Enter')
    await page.getByText('Enter user name and password.').waitFor()
    await logIn(page, 'not the password')
    await page.getByText('User name or password is wrong.').waitFor()
    await logIn(page)
    await row(page, 'seoul-01').waitFor()
    await live(page)
    await page.getByText('ivan', { exact: true }).waitFor()

    const [cookie, ...others] = await page.context().cookies(`${hub.url}api/v1/auth/refresh`)
    expect(others).toEqual([])
    expect(cookie).toMatchObject({ name: 'mobilepool_refresh', httpOnly: true, sameSite: 'Strict', path: '/api/v1/auth' })
    const seen = await readable(page)
    expect(seen).toBe(JSON.stringify([{ [`mobilepool:login:${hub.url}`]: '1' }, {}, '']))

    await page.reload()
    await row(page, 'seoul-01').waitFor()
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByRole('heading', { name: 'This hub asks for a key' }).waitFor()
    expect(await page.content()).not.toContain('seoul-01')
    expect(await readable(page)).toBe('[{},{},""]')
    await page.reload()
    await page.getByRole('heading', { name: 'This hub asks for a key' }).waitFor()
    expect(await page.context().cookies(`${hub.url}api/v1/auth/refresh`)).toEqual([])
  })

  it('ends on the page when the hub ends it: a deactivated user sees nothing any more', async () => {
    const hub = await privateHub()
    const page = await openPage(`${hub.url}#/login`, { mayComplain: FAILED_REQUESTS })
    await logIn(page)
    await live(page)
    await send(`${hub.url}api/v1/users/${hub.userId}`, '127.0.0.1', { method: 'PATCH', key: ADMIN_KEY, body: { is_active: false } })
    await page.getByRole('heading', { name: 'This hub asks for a key' }).waitFor()
    expect(await page.content()).not.toContain('seoul-01')
    await page.getByRole('link', { name: 'Log in', exact: true }).waitFor()
  })

  it('is offered on a public page too, where the hub’s policy lets no inline script or style in', async () => {
    const hub = await startRealHub(newDataDir(), 0)
    const policy = (await fetch(hub.url)).headers.get('content-security-policy')
    expect(policy).toContain("default-src 'self'")
    expect(policy).not.toContain('unsafe')
    const page = await openPage(hub.url)
    await page.getByRole('link', { name: 'Log in', exact: true }).click()
    await page.getByRole('heading', { name: 'Log in to the hub' }).waitFor()
    expect(await page.evaluate('document.activeElement.id')).toBe('username')
    for (const [width, colorScheme] of [
      [360, 'light'],
      [1280, 'dark'],
    ] as const) {
      await page.setViewportSize({ width, height: 800 })
      await page.emulateMedia({ colorScheme })
      await page.screenshot({ path: picture(`login-${width}-${colorScheme}`) })
      const { violations } = await new AxeBuilder({ page }).analyze()
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('; ')}`)).toEqual([])
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
    }
    await page.goBack()
    await page.getByRole('heading', { name: 'No devices yet' }).waitFor()
  })
})
