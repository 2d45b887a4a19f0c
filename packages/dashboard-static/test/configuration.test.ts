import type { SettingJson } from '@mobilepool/sdk/contract'
import type { Locator, Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { describeInChromium, eventually, FAILED_REQUESTS, type OpenPage } from './browser.ts'
import { LOOKING, look } from './look.ts'
import { ADMIN_KEY, newDataDir, send, startRealHub } from './real-hub.ts'

const PASSWORD = 'ivan and ten more'

async function hubOf(dataDir = newDataDir()) {
  const hub = await startRealHub(dataDir, 0, { PUBLIC_STATUS: 'false', LOG_RETENTION_DAYS: '40' })
  const api = (method: string, path: string, body?: unknown) =>
    send(`${hub.url}api/v1/${path}`, '127.0.0.1', { method, key: ADMIN_KEY, ...(body === undefined ? {} : { body }) })
  const setting = async (name: string): Promise<SettingJson | undefined> =>
    ((await api('GET', 'config')) as { settings: SettingJson[] }).settings.find((one) => one.name === name)
  return { ...hub, api, setting }
}

async function opened(openPage: OpenPage, url: string, section: string, options: object = {}): Promise<Page> {
  const page = await openPage(`${url}#/configuration${section}`, { mayComplain: FAILED_REQUESTS, reducedMotion: 'reduce', ...options })
  await page.locator('#key').fill(ADMIN_KEY)
  await page.keyboard.press('Enter')
  await page.locator('h1').waitFor()
  return page
}

const line = (page: Page, text: string): Locator => page.getByRole('listitem').filter({ has: page.getByText(text, { exact: true }) })
const does = (place: Page | Locator, name: string): Promise<void> => place.getByRole('button', { name, exact: true }).click()
/** Whether a key opens the API. */
const opens = async (url: string, key: string): Promise<number> =>
  (await fetch(`${url}api/v1/auth/me`, { headers: { authorization: `Bearer ${key}` } })).status

describeInChromium('the configuration, on the real hub', (openPage) => {
  it(
    'changes a setting by keyboard, shows what is wrong at it in the hub’s words, what waits for a start, and the way back',
    LOOKING,
    async () => {
      const dataDir = newDataDir()
      const { url, setting, kill } = await hubOf(dataDir)
      const page = await opened(openPage, url, '')
      const timeout = line(page, 'HEARTBEAT_TIMEOUT')
      await timeout.getByRole('button', { name: 'Change HEARTBEAT_TIMEOUT' }).focus()
      await page.keyboard.press('Enter')
      const field = timeout.getByLabel('New value')
      await timeout.locator('input:focus').waitFor()
      expect(await field.inputValue()).toBe('60')
      await page.keyboard.press('Escape')
      await field.waitFor({ state: 'detached' })
      await eventually(() => page.evaluate('document.activeElement.innerText')).toContain('HEARTBEAT_TIMEOUT')
      await page.keyboard.press('Enter')
      await field.fill('soon')
      await page.keyboard.press('Enter')
      await timeout.getByText('HEARTBEAT_TIMEOUT must be a number of seconds, not "soon"', { exact: true }).waitFor()
      expect((await setting('HEARTBEAT_TIMEOUT'))?.pending).toBeUndefined()
      await field.fill('45')
      await page.keyboard.press('Enter')
      await timeout.getByText('Saved, in force from the hub’s next start on').waitFor()
      await timeout.getByText('From the hub’s next start on: 45', { exact: true }).waitFor()
      expect(await setting('HEARTBEAT_TIMEOUT')).toMatchObject({ value: 60, pending: 45 })

      const limit = line(page, 'API_RATE_LIMIT')
      await limit.getByRole('button', { name: 'Change API_RATE_LIMIT' }).click()
      await limit.getByLabel('New value').fill('5000')
      await does(limit, 'Save')
      await limit.getByText('Saved, and in force now').waitFor()
      await limit.getByText('set here', { exact: true }).waitFor()
      expect(await setting('API_RATE_LIMIT')).toMatchObject({ value: 5000, source: 'database' })

      const queries = line(page, 'LOG_QUERY_STRINGS')
      await queries.getByRole('button', { name: 'Change LOG_QUERY_STRINGS' }).click()
      await does(queries, 'Yes')
      await does(queries, 'Save')
      await queries.getByText('From the hub’s next start on: Yes').waitFor()
      expect((await setting('LOG_QUERY_STRINGS'))?.pending).toBe(true)

      // What was given where the hub was started is shown, and cannot be changed here; a secret is not even shown.
      const given = line(page, 'LOG_RETENTION_DAYS')
      await given.getByText('given in the environment', { exact: true }).waitFor()
      expect(await given.getByRole('button').count()).toBe(0)
      const secret = line(page, 'MOBILEPOOL_ADMIN_KEY')
      await secret.getByText('set, not shown').waitFor()
      expect(await secret.getByRole('button').count()).toBe(0)
      expect(await page.content()).not.toContain(ADMIN_KEY)

      await page.getByLabel('Search settings').fill('silence offline agent')
      await eventually(() => page.locator('main code').allInnerTexts()).toEqual(['HEARTBEAT_TIMEOUT'])
      await page.getByLabel('Search settings').fill('no such thing')
      await page.getByText('No setting matches.').waitFor()
      await page.getByLabel('Search settings').fill('')
      await does(page, 'Not as usual')
      await eventually(() => page.locator('main code').allInnerTexts()).toContain('HEARTBEAT_TIMEOUT')
      expect(await page.locator('main code').allInnerTexts()).not.toContain('MAX_DEVICES')
      await limit.getByRole('button', { name: 'Change API_RATE_LIMIT' }).click()
      await look(page, 'configuration-settings')

      await does(limit, 'Back to the default')
      await limit.waitFor({ state: 'detached' })
      expect(await setting('API_RATE_LIMIT')).toMatchObject({ value: 6000, source: 'default' })
      await kill()
      const again = await hubOf(dataDir)
      expect(await again.setting('HEARTBEAT_TIMEOUT')).toMatchObject({ value: 45, source: 'database' })
      expect((await again.setting('HEARTBEAT_TIMEOUT'))?.pending).toBeUndefined()
    },
  )

  it('makes users, changes what they may do, and shows what the hub refuses', LOOKING, async () => {
    const { url, api } = await hubOf()
    await api('POST', 'users', { username: 'olga', password: PASSWORD, role: 'admin' })
    await api('POST', 'users', { username: 'a-user-with-a-name-so-long-that-no-line-was-ever-made-for-it-at-all-0001', password: PASSWORD })
    const page = await opened(openPage, url, '?of=users')
    const form = page.locator('form').last()
    await form.getByLabel('User name').fill('ivan')
    await form.getByLabel('Password').fill('short')
    await does(form, 'Add')
    await form.getByRole('alert').filter({ hasText: 'password must have at least 10 characters' }).waitFor()
    await form.getByLabel('Password').fill(PASSWORD)
    await does(form, 'Add')
    const ivan = line(page, 'ivan')
    await ivan.getByText('0 of 10,000 requests').waitFor()
    expect(await form.getByLabel('Password').inputValue()).toBe('')
    const login = async (password: string): Promise<number> =>
      (
        await fetch(`${url}api/v1/auth/login`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ username: 'ivan', password }),
        })
      ).status
    expect(await login(PASSWORD)).toBe(200)

    await does(ivan, 'Change')
    await ivan.getByLabel('Requests per quota period').fill('')
    await ivan.getByLabel('New password').fill('another ten or more')
    await does(ivan, 'Save')
    await ivan.getByText('0 requests', { exact: true }).waitFor()
    expect([await login(PASSWORD), await login('another ten or more')]).toEqual([401, 200])
    await does(ivan, 'Switch off')
    await ivan.getByText('switched off').waitFor()
    expect(await login('another ten or more')).toBe(401)
    await does(ivan, 'Change')
    await look(page, 'configuration-users')
    await does(ivan, 'Cancel')

    // What cannot be taken back is asked for, with "no" in the focus.
    const olga = line(page, 'olga')
    await does(olga, 'Remove')
    await eventually(() => page.evaluate('document.activeElement.innerText')).toBe('No')
    await does(olga, 'No')
    await does(ivan, 'Remove')
    await does(ivan, 'Yes')
    await ivan.waitFor({ state: 'detached' })
    const left = (await api('GET', 'users')) as { users: { username: string }[] }
    expect(left.users.map(({ username }) => username)).not.toContain('ivan')
  })

  it('makes a key that works and is shown once, and revokes it', LOOKING, async () => {
    const { url } = await hubOf()
    const page = await opened(openPage, url, '?of=keys')
    await page.getByText('MOBILEPOOL_ADMIN_KEY').waitFor()
    await does(page.locator('form'), 'Make a key')
    await page.getByRole('alert').filter({ hasText: 'name' }).waitFor()
    await page.getByLabel('Name').fill('wall screen')
    await does(page, 'Only look')
    await does(page, '30 days')
    await does(page.locator('form'), 'Make a key')
    await page.getByText('Shown this once: keep it now.').waitFor()
    const key = await page.locator('form code').innerText()
    expect(await opens(url, key)).toBe(200)
    const made = line(page, 'wall screen')
    await made.getByText(/good until /).waitFor()
    await made.getByText('Only look').waitFor()
    await look(page, 'configuration-keys')

    await does(page, 'Users')
    await page.getByText('Nobody yet').waitFor()
    await does(page, 'Keys')
    await made.waitFor()
    expect(await page.content()).not.toContain(key)
    expect(await page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])')).not.toContain(key)

    await does(made, 'Revoke')
    await made.getByText('Revoke wall screen? Whoever uses it is shut out at once.').waitFor()
    await does(made, 'Yes')
    await made.getByText('revoked', { exact: true }).waitFor()
    expect(await opens(url, key)).toBe(401)
  })

  it('is, for a user who is no admin, the keys of his own', async () => {
    const { url, api } = await hubOf()
    await api('POST', 'users', { username: 'ivan', password: PASSWORD })
    const page = await openPage(`${url}#/login`, { mayComplain: FAILED_REQUESTS })
    await page.getByLabel('User name').fill('ivan')
    await page.getByLabel('Password').fill(PASSWORD)
    await page.keyboard.press('Enter')
    await page.getByRole('navigation').getByRole('link', { name: 'Configuration' }).click()
    await page.getByText('None yet').waitFor()
    expect(await page.getByRole('button', { name: 'Settings' }).count()).toBe(0)
    expect(await page.getByRole('button', { name: 'Everything' }).count()).toBe(0)
    await page.getByLabel('Name').fill('my parser')
    await does(page.locator('form'), 'Make a key')
    const key = await page.locator('form code').innerText()
    const me = (await send(`${url}api/v1/auth/me`, '127.0.0.1', { key })) as { scope: string; user: { username: string } }
    expect(me).toMatchObject({ scope: 'proxy', user: { username: 'ivan' } })
    await line(page, 'my parser').waitFor()
  })

  it.each(['ru', 'ko'])('says everything in %s, on a phone too', LOOKING, async (language) => {
    const { url, api } = await hubOf()
    await api('POST', 'users', { username: 'olga', password: PASSWORD, role: 'admin' })
    const page = await opened(openPage, url, '', { locale: language, viewport: { width: 360, height: 800 } })
    for (const section of ['settings', 'users', 'keys']) {
      await page.evaluate(`location.hash = '#/configuration?of=${section}'`)
      await page
        .getByRole('listitem')
        .filter({ hasText: { settings: 'API_PORT', users: 'olga', keys: 'mp_aaaaaaaa' }[section] ?? '' })
        .waitFor()
      await eventually(() => page.locator('h1').innerText()).toMatch(language === 'ru' ? /[А-я]{3}/ : /[가-힣]{2}/)
      await look(page, `configuration-${section}-${language}`, [360])
    }
  })
})
