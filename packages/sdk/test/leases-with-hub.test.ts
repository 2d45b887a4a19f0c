import { once } from 'node:events'
import type { Lease } from '@mobilepool/sdk'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { lost, refusesEverywhere } from './lease-requests.ts'
import type { FakeHub } from './servers/fake-hub.ts'
import { collect, Stage } from './stage.ts'
import { exitOf } from './two-devices.ts'

const stage = new Stage()

describe('with a hub', () => {
  async function withHub() {
    const hub = await stage.hub()
    const [busan, seoul] = [await stage.device('busan-03'), await stage.device('seoul-01')]
    hub.put('busan-03', { proxy_url: busan.url, exit_ip: busan.egress })
    hub.put('seoul-01', { proxy_url: seoul.url, exit_ip: seoul.egress })
    const pool = stage.open({ hub: { url: hub.url, token: hub.token } })
    return { hub, busan, pool, origin: await stage.origin({ tls: true }) }
  }

  const changes: [string, string, (hub: FakeHub) => void][] = [
    ['offline', 'offline', (hub) => hub.put('busan-03', { status: 'offline' })],
    ['gone', 'has left the pool', (hub) => hub.remove('busan-03')],
    ['at another IP', 'its exit IP 127.10.3.1 is gone', (hub) => hub.put('busan-03', { exit_ip: '127.10.3.9' })],
    ['announced to rotate', 'about to rotate', (hub) => hub.rotation('busan-03', { state: 'draining' })],
  ]

  test.each(changes)('a lease is over when its device is %s', async (_what, why, change) => {
    const { hub, pool, origin } = await withHub()
    const [lease, other] = [await pool.lease({ devices: 'busan-03' }), await pool.lease({ devices: 'seoul-01' })]
    expect(lease.exitIp).toBe('127.10.3.1')
    const hanging = lease.fetch(`${origin.url}/hang`, { signal: lease.signal })
    await eventually('it is under way', () => origin.seen.length === 1)
    const failed = expect(hanging).rejects.toMatchObject(lost)
    change(hub)
    await failed
    expect(lease.signal.reason).toMatchObject({ ...lost, message: expect.stringContaining(why) })
    expect(lease.exitIp).toBe('127.10.3.1')
    await refusesEverywhere(lease, origin.url, 'MP_LEASE_LOST')
    hub.put('busan-03', { status: 'online', exit_ip: '127.10.3.1' })
    await refusesEverywhere(lease, origin.url, 'MP_LEASE_LOST')
    expect(other.signal.aborted).toBe(false)
    expect(await exitOf(other.fetch(origin.url))).toBe('127.10.1.1')
  })

  test('one that follows its device outlives a rotation that the hub runs, and another IP, but not the device', async () => {
    const { hub, busan, pool, origin } = await withHub()
    const lease = await pool.lease({ devices: 'busan-03', onIpChange: 'follow' })
    const starts = collect(pool, 'rotationStart')
    hub.rotation('busan-03', { state: 'draining' })
    await eventually('it drains', () => starts.length === 1)
    const waiting = exitOf(lease.fetch(origin.url))
    hub.rotation('busan-03', { state: 'rotating' })
    hub.put('busan-03', { status: 'rotating' })
    busan.egress = '127.10.3.2'
    hub.put('busan-03', { status: 'online', exit_ip: '127.10.3.2' })
    hub.rotation('busan-03', { state: 'changed', new_ip: '127.10.3.2', method: 'airplane_mode' })
    expect(await waiting).toBe('127.10.3.2')
    expect([lease.signal.aborted, lease.exitIp]).toEqual([false, '127.10.3.2'])
    const over = once(lease.signal, 'abort')
    hub.put('busan-03', { status: 'offline' })
    await over
    expect(lease.signal.reason).toMatchObject({ ...lost, message: expect.stringContaining('offline') })
  })

  test('listeners of a signal may do anything: take another lease, release, close the pool', async () => {
    const { hub, pool } = await withHub()
    const [one, other] = [await pool.lease({ devices: 'busan-03' }), await pool.lease({ devices: 'busan-03' })]
    const next = new Promise<Lease>((resolve, reject) => {
      one.signal.addEventListener('abort', () => {
        void other.release()
        pool.lease().then(resolve, reject)
      })
    })
    hub.put('busan-03', { status: 'offline' })
    expect((await next).deviceId).toBe((await pool.lease({ devices: 'seoul-01' })).deviceId)
    expect(other.signal.reason).toMatchObject({ code: expect.stringMatching(/^MP_LEASE_/) })
  })
})
