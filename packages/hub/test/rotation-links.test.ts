import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { rotationLinkList, rotationLinkReply } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startHub, type TestHub } from './hub.ts'
import { type MobileBox, rotatesTo, startBox } from './mobile-box.ts'

const run = promisify(execFile)
let hub: TestHub
let box: MobileBox
beforeAll(async () => {
  hub = await startHub({ rotationDrainMs: 20, rotationTimeoutMs: 20_000, rotationMinIntervalMs: 0 })
  let turn = 1
  box = await startBox('127.30.1.1', (of, reply, request) => rotatesTo(`127.30.1.${++turn}`, 0)(of, reply, request))
  await hub.addDevice({ name: 'omsk-05', proxy_url: box.proxyUrl, rotation_url: box.link, auto_rotation: false })
})
afterAll(async () => {
  await box.close()
  await hub.remove()
})

const LINKS = '/api/v1/admin/devices/omsk-05/rotation-links'
async function makeLink(name = 'Anna'): Promise<{ id: string; path: string; url: string }> {
  const made = await hub.ask(LINKS, { method: 'POST', key: 'admin', body: { name } })
  expect(made.status, made.text).toBe(201)
  const { link, url } = rotationLinkReply.parse(made.json)
  const path = new URL(url).pathname
  return { id: link.id, path, url: hub.url + path }
}

test('a link rotates its device by POST with plain curl, says the outcome in one line, and is counted', async () => {
  const { url, id, path } = await makeLink()
  const { stdout } = await run('curl', ['-sS', '-X', 'POST', '--max-time', '60', `${url}?wait=30`])
  expect(stdout).toMatch(/^changed 127\.30\.1\.\d+\n$/)
  const last = (await hub.ask('/api/v1/rotations?device=omsk-05&limit=1', { key: 'admin' })).json.rotations[0]
  expect(last).toMatchObject({ trigger: 'link', state: 'changed', detail: 'link "Anna"' })
  const { links } = rotationLinkList.parse((await hub.ask(LINKS, { key: 'admin' })).json)
  expect(links.find((link) => link.id === id)).toMatchObject({ name: 'Anna', used_count: 1 })
  expect(hub.log()).not.toContain(path.split('/').at(-1))
  expect((await hub.ask(LINKS, { key: 'admin' })).text).not.toContain(path.split('/').at(-1))
})

test('what only looks at a link rotates nothing: a GET, a HEAD, a prefetch', async () => {
  const { path } = await makeLink()
  const before = box.calls.length
  const html = await hub.ask(path, { headers: { accept: 'text/html,*/*' } })
  expect(html.text).toContain('<form method="post">')
  expect(html.headers['content-security-policy']).toContain("default-src 'none'")
  expect((await hub.ask(path)).text).toContain('Nothing was done')
  expect((await hub.ask(path, { method: 'HEAD' })).status).toBe(405)
  expect((await hub.ask(`${path}?confirm=1`, { headers: { 'sec-purpose': 'prefetch;prerender' } })).text).toContain('Nothing was done')
  expect(box.calls.length).toBe(before)
  const confirmed = await hub.ask(`${path}?confirm=1&wait=30&format=json`)
  expect(confirmed.json.rotation).toMatchObject({ state: 'changed', trigger: 'link' })
})

test('the button of the page works', async () => {
  const { path } = await makeLink()
  const pressed = await hub.ask(`${path}?wait=30`, {
    method: 'POST',
    raw: '',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  expect(pressed.text).toMatch(/^changed /)
})

test('a link that was revoked, forged or cut is refused, and other links go on', async () => {
  const [revoked, kept] = [await makeLink('gone'), await makeLink('kept')]
  expect((await hub.ask(`${LINKS}/${revoked.id}`, { method: 'DELETE', key: 'admin' })).status).toBe(204)
  expect((await hub.ask(`${LINKS}/${revoked.id}`, { method: 'DELETE', key: 'admin' })).status).toBe(404)
  const forged = `${kept.path.slice(0, -1)}${kept.path.endsWith('A') ? 'B' : 'A'}`
  for (const path of [revoked.path, forged, kept.path.slice(0, -9), '/api/v1/rotation-links/x'])
    expect(await hub.ask(path, { method: 'POST' })).toMatchObject({ status: 404, json: { code: 'not_found' } })
  expect((await hub.ask(kept.path)).status).toBe(200)
})

test('a link has the device’s cool-down, with the seconds to wait', async () => {
  const own = await startHub({ rotationDrainMs: 20, rotationMinIntervalMs: 60_000 })
  try {
    await own.addDevice({ name: 'tula-01', proxy_url: box.proxyUrl, rotation_url: box.link, auto_rotation: false })
    const made = await own.ask('/api/v1/admin/devices/tula-01/rotation-links', { method: 'POST', key: 'admin' })
    expect(made.json.url).toContain(`${own.url}/api/v1/rotation-links/`)
    const { pathname } = new URL(made.json.url)
    expect((await own.ask(`${pathname}?wait=30`, { method: 'POST' })).text).toMatch(/^changed /)
    const soon = await own.ask(pathname, { method: 'POST' })
    expect(soon).toMatchObject({ status: 429, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } })
    expect(soon.text).toMatch(/^wait \d+\n/)
    expect((await own.ask(`${pathname}?format=json`, { method: 'POST' })).json).toMatchObject({ code: 'rotation_too_soon' })
  } finally {
    await own.remove()
  }
})
