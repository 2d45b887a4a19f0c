import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { MobilePool } from '@mobilepool/sdk'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Origin, startOrigin } from '../packages/sdk/test/servers/origin.ts'
import { type HubProcess, startHubProcess } from './processes.ts'

/** A pool of phones behind a carrier's NAT: hub and agents as processes, no way to a phone but its tunnel and the hub's gateway. */
vi.setConfig({ testTimeout: 90_000, hookTimeout: 120_000 })
const patience = { timeout: 60_000, interval: 50 }
const run = promisify(execFile)

let hub: HubProcess
let site: Origin
let key: string
let pool: MobilePool

beforeAll(async () => {
  hub = await startHubProcess({ hasGateway: true })
  site = await startOrigin()
  key = await hub.parserKey()
  await hub.startAgent('seoul-01', 1, ['--advertise', 'none'])
  await hub.startAgent('moscow-07', 2, ['--advertise', 'none'])
  pool = new MobilePool({ hub: { url: hub.url, token: key }, usage: { flushMs: 100 } })
  await vi.waitFor(() => expect(pool.stats().ready).toBe(2), patience)
})
afterAll(async () => {
  await pool.close()
  await hub.remove()
  await site.close()
})

const asAdmin = async (path: string): Promise<Record<string, unknown>> =>
  (await fetch(hub.url + path, { headers: { authorization: `Bearer ${hub.adminKey}` } })).json() as Promise<Record<string, unknown>>
const used = async (): Promise<number> => {
  const { keys } = (await asAdmin('/api/v1/keys')) as { keys: { name: string; requests_used: number }[] }
  return keys.find(({ name }) => name === 'a parser')?.requests_used ?? -1
}
const logged = async (): Promise<number> => {
  const { total } = (await asAdmin('/api/v1/stats/overview?period=24h')) as { total: { requests: number } }
  return total.requests
}

test('it is fetched through them, balanced, and each request is counted and logged once', async () => {
  const seenFrom = new Map<string, number>()
  for (let n = 0; n < 10; n++) {
    const answer = (await (await pool.fetch(`${site.url}/`)).json()) as { remoteAddress: string; headers: Record<string, string> }
    seenFrom.set(answer.remoteAddress, (seenFrom.get(answer.remoteAddress) ?? 0) + 1)
    expect(Object.keys(answer.headers).filter((name) => /proxy|via|forward|mobilepool/.test(name))).toEqual([])
  }
  expect([...seenFrom.keys()].toSorted()).toEqual(['127.20.1.1', '127.20.2.1'])
  await vi.waitFor(async () => expect(await logged()).toBe(10), patience)
  // One tunnel at each device, kept: the gateway has carried two connections, which is what it counts.
  expect(await used()).toBe(2)
})

test('a lease has a proxy URL for curl, by this machine and directly at the gateway', async () => {
  for (const proxy of ['local', 'direct'] as const) {
    await using lease = await pool.lease({ proxy })
    const { stdout } = await run('curl', ['-sS', '--fail', '--proxytunnel', '--max-time', '60', '-x', lease.proxyUrl, `${site.url}/`])
    expect((JSON.parse(stdout) as { remoteAddress: string }).remoteAddress).toBe(lease.exitIp)
  }
})

test('pool.listen() leads there too', async () => {
  await using listening = await pool.listen()
  const { stdout } = await run('curl', ['-sS', '--fail', '--max-time', '60', '-x', listening.url, `${site.url}/`])
  expect((JSON.parse(stdout) as { remoteAddress: string }).remoteAddress).toMatch(/^127\.20\.[12]\.1$/)
})

test('a rotation gives another exit IP, and what the target refuses is no fault of the device', async () => {
  const rotated = await pool.rotate('seoul-01')
  expect(rotated).toMatchObject({ outcome: 'changed', oldIp: '127.20.1.1', newIp: '127.20.1.2' })
  await using lease = await pool.lease({ proxy: false, devices: ['seoul-01'] })
  expect(lease.exitIp).toBe('127.20.1.2')
  await expect(lease.fetch('http://127.0.0.1:1025/')).rejects.toMatchObject({ cause: { code: 'MP_TUNNEL_REFUSED' } })
  const device = pool.stats().devices.find(({ name }) => name === 'seoul-01')
  expect(device).toMatchObject({ state: 'ready', faults: 0 })
})
