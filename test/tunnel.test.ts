import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type DeviceJson, device, rotation } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { Child } from '../demo/child-processes.ts'
import { type Origin, startOrigin } from '../packages/sdk/test/servers/origin.ts'
import { type HubProcess, startHubProcess } from './processes.ts'

/** A phone behind a carrier's NAT, as a user runs it: hub and agent as processes, no way to the phone but the tunnel, curl at the gateway. */
vi.setConfig({ testTimeout: 90_000, hookTimeout: 120_000 })
const patience = { timeout: 60_000, interval: 50 }
const run = promisify(execFile)

let hub: HubProcess
let agent: Child
let site: Origin
let key: string

beforeAll(async () => {
  hub = await startHubProcess({ hasGateway: true })
  site = await startOrigin()
  key = await hub.parserKey()
  agent = await hub.startAgent('seoul-01', 1, ['--advertise', 'none'])
  await reachable()
})
afterAll(async () => {
  await hub.remove()
  await site.close()
})

/** curl that knows nothing but HTTP_PROXY; what the site saw of it. Fails as curl does. */
async function page(userName: string, path = '/', ...options: string[]): Promise<string> {
  const proxy = (hub.gatewayUrl ?? '').replace('://', `://${userName}:${key}@`)
  const env = { PATH: process.env.PATH, http_proxy: proxy }
  const { stdout } = await run('curl', ['-sS', '--fail', '--max-time', '60', ...options, site.url + path], { env })
  return stdout
}
const exitOf = async (userName: string): Promise<string> => JSON.parse(await page(userName)).remoteAddress
const asAdmin = async (path: string, method = 'GET'): Promise<unknown> =>
  (await fetch(hub.url + path, { method, headers: { authorization: `Bearer ${hub.adminKey}` } })).json()
const seoul = async (): Promise<DeviceJson> => device.parse(await asAdmin('/api/v1/admin/devices/seoul-01'))
const reachable = (): Promise<void> =>
  vi.waitFor(async () => expect(await seoul()).toMatchObject({ status: 'online', proxy_url: null, reach: 'gateway' }), patience)
const rotated = (exitIp: string): Promise<void> =>
  vi.waitFor(
    async () => expect(await seoul()).toMatchObject({ exit_ip: exitIp, status: 'online', last_rotation: { outcome: 'changed' } }),
    patience,
  )

it('is used by HTTP_PROXY alone', async () => {
  expect(await exitOf('anna')).toBe('127.20.1.1')
})

it('finishes what is under way before its address changes, and goes on with the new one', async () => {
  const slow = page('anna', '/slow/1500')
  await vi.waitFor(() => expect(site.seen.at(-1)?.url).toBe('/slow/1500'), patience)
  const { rotation: ordered } = (await asAdmin('/api/v1/admin/devices/seoul-01/rotate', 'POST')) as { rotation: { id: string } }
  const meanwhile = exitOf('anna')
  expect(await slow).toBe('slow')
  expect(await meanwhile).toBe('127.20.1.2')
  await rotated('127.20.1.2')
  expect(rotation.parse(await asAdmin(`/api/v1/rotations/${ordered.id}`))).toMatchObject({
    state: 'changed',
    old_ip: '127.20.1.1',
    new_ip: '127.20.1.2',
  })
})

it('gets a new address when a session ends that asked for it', async () => {
  expect(await exitOf('anna-session-a-ttl-1s-rotate-1')).toBe('127.20.1.2')
  // Another session's request, later, ends what is over.
  await vi.waitFor(async () => expect(await exitOf('anna-session-b')).toBe('127.20.1.3'), { timeout: 60_000, interval: 500 })
})

it('is back with its agent, killed and started again: who asks meanwhile waits', async () => {
  // A POST: nobody knows whether it was carried out, so it is not sent again.
  const cut = page('anna', '/hang', '--data', 'n=1')
  await vi.waitFor(() => expect(site.seen.at(-1)?.url).toBe('/hang'), patience)
  agent.kill()
  const failed = expect(cut).rejects.toMatchObject({ code: 22 })
  await vi.waitFor(async () => expect((await seoul()).reach).toBe('none'), patience)
  const waiting = exitOf('anna')
  hub.restartAgent('seoul-01')
  expect(await waiting).toBe('127.20.1.3')
  await failed
})

it('is back after the hub, killed and started again', async () => {
  hub.kill()
  await hub.restart()
  expect(await exitOf('anna')).toBe('127.20.1.3')
})
