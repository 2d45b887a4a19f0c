import { MobilePool } from '@mobilepool/sdk'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Page, startTargetSite, type TargetSite } from '../demo/target-site.ts'
import { type HubProcess, startHubProcess } from './processes.ts'

// Processes start slowly beside other work on two cores.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 120_000 })

describe('hub, agents and SDK together, as processes', () => {
  let hub: HubProcess
  let target: TargetSite
  let pool: MobilePool

  beforeAll(async () => {
    hub = await startHubProcess()
    target = await startTargetSite({ afterRequests: [1_000_000, 1_000_001], forMs: 1000 })
    await Promise.all([hub.startAgent('seoul-01', 1), hub.startAgent('busan-03', 2)])
    await hub.online(2)
    pool = new MobilePool({ hub: { url: hub.url, token: await hub.parserKey() }, rotate: { minIntervalMs: 0 } })
  })

  afterAll(async () => {
    await pool.close()
    await hub.remove()
    await target.close()
  })

  const page = async (id: string): Promise<{ page: Page; device: string | null }> => {
    const response = await fetch(`${target.url}/page/${id}`, { dispatcher: pool })
    return { page: (await response.json()) as Page, device: response.headers.get('x-mobilepool-device') }
  }

  it('reaches the site from the devices and from nowhere else', async () => {
    const seen = new Set<string>()
    for (let number = 0; number < 10; number++) seen.add((await page(`first-${number}`)).page.address)
    expect([...seen].sort()).toEqual(['127.20.1.1', '127.20.2.1'])
    expect([...target.visitors.keys()].sort()).toEqual([...seen].sort())
  })

  it('rotates a device, and the site sees the new exit IP', async () => {
    const rotation = await pool.rotate('seoul-01')
    expect(rotation).toMatchObject({ outcome: 'changed', device: 'seoul-01', trigger: 'forced', oldIp: '127.20.1.1', newIp: '127.20.1.2' })
    const answers = await Promise.all(Array.from({ length: 8 }, (_, number) => page(`rotated-${number}`)))
    const fromSeoul = answers.filter(({ device }) => device === 'seoul-01').map((answer) => answer.page.address)
    expect(fromSeoul.length).toBeGreaterThan(0)
    expect(new Set(fromSeoul)).toEqual(new Set([rotation.newIp]))
  })

  it('loses no request while the hub is dead, and hears of changes after it is back', async () => {
    hub.kill()
    const whileDead = await Promise.all(Array.from({ length: 40 }, (_, number) => page(`dead-${number}`)))
    expect(whileDead.every((answer, number) => answer.page.id === `dead-${number}` && target.isGenuine(answer.page))).toBe(true)
    await hub.restart()
    await hub.online(2)
    const rotation = await pool.rotate('busan-03')
    expect(rotation).toMatchObject({ outcome: 'changed', newIp: '127.20.2.2' })
  })

  it('says which hub it cannot reach when there is none', async () => {
    const nowhere = new MobilePool({ hub: { url: 'http://127.0.0.1:1', token: 'mp_none' }, queue: { timeoutMs: 500 } })
    const error = await nowhere.fetch(target.url).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'MobilePoolError', message: expect.stringContaining('127.0.0.1:1') })
    await nowhere.close()
  })
})
