import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { scriptedAgent } from './agent.ts'
import { startHub, type TestHub } from './hub.ts'
import { usageRecord } from './records.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ metricsMaxDevices: 2 })
})
afterAll(() => hub.remove())

/** Series and their values, as Prometheus would read them. */
async function scrape(of: TestHub = hub): Promise<Map<string, number>> {
  const { status, text, headers } = await of.ask('/metrics')
  expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  const series = new Map<string, number>()
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
    const [, name = '', value = ''] = /^([a-zA-Z_:][\w:]*(?:\{[^\n]*\})?) (\S+)$/.exec(line) ?? []
    expect(name, line).not.toBe('')
    series.set(name, Number(value))
  }
  return series
}

describe('the metrics', () => {
  test('have the specification’s five, by device and status, and count what pools and agents report', async () => {
    const agent = await scriptedAgent(hub, 'busan-03')
    await agent.beat('127.10.3.1')
    const { id } = (await hub.ask('/api/v1/admin/devices/busan-03', { key: 'admin' })).json
    const before = await scrape()
    expect(before.get('active_devices_total')).toBe(1)
    expect(before.get('device_health_status{device="busan-03"}')).toBe(1)

    const records = [
      usageRecord(id),
      usageRecord(id, { status: 403, outcome: 'banned' }),
      usageRecord(id, { status: null, outcome: 'tunnel_timeout' }),
    ]
    const batch = { id: randomUUID(), records: [...records, usageRecord(randomUUID())] }
    const key = await hub.parserKey()
    for (let time = 0; time < 2; time++) await hub.ask('/api/v1/usage', { method: 'POST', key, body: batch })

    const waiting = agent.order(20)
    const rotate = await hub.ask('/api/v1/admin/devices/busan-03/rotate', { method: 'POST', key: 'admin' })
    await waiting
    expect((await scrape()).get('device_health_status{device="busan-03"}')).toBe(0.5)
    const said = { old_ip: '127.10.3.1', new_ip: '127.10.3.2' }
    for (const state of ['rotating', 'verifying', 'changed'])
      await agent.report(rotate.json.rotation.id, state === 'rotating' ? '127.10.3.1' : '127.10.3.2', { state, ...said })

    const after = await scrape()
    expect(
      Object.fromEntries([...after].filter(([name]) => /^(requests_total|ip_rotations_total|mobilepool_request_outcomes)/.test(name))),
    ).toEqual({
      'requests_total{device="busan-03",status="2xx"}': 1,
      'requests_total{device="busan-03",status="4xx"}': 1,
      'requests_total{device="busan-03",status="none"}': 1,
      'ip_rotations_total{device="busan-03",method="airplane_mode",outcome="changed"}': 1,
      'mobilepool_request_outcomes_total{outcome="answered"}': 1,
      'mobilepool_request_outcomes_total{outcome="banned"}': 1,
      'mobilepool_request_outcomes_total{outcome="failed"}': 1,
    })
    expect(after.get('request_duration_seconds_count')).toBe(3)
    expect(after.get('request_duration_seconds_bucket{le="0.1"}')).toBe(0)
    expect(after.get('request_duration_seconds_bucket{le="0.25"}')).toBe(3)
    expect(after.get('mobilepool_rotation_duration_seconds_count{outcome="changed"}')).toBe(1)
    expect(after.get('mobilepool_device_ip_changes_total{device="busan-03"}')).toBe(1)
    expect(after.get('mobilepool_ip_changes_total')).toBe(1)
  })

  test('count heartbeats of both kinds, answers by route, open streams and what waits to be written', async () => {
    const before = await scrape()
    for (let beat = 0; beat < 3; beat++) await hub.ask('/proxy_server?name=moscow-08')
    await hub.ask('/proxy_server?name=')
    await hub.ask('/api/v1/nowhere/else')
    const stream = await fetch(`${hub.url}/api/v1/events`)
    const after = await scrape()
    await stream.body?.cancel()
    expect((after.get('mobilepool_heartbeats_total') ?? 0) - (before.get('mobilepool_heartbeats_total') ?? 0)).toBe(3)
    expect(after.get('mobilepool_hub_request_duration_seconds_count{route="/proxy_server",method="GET",status="2xx"}')).toBe(3)
    expect(after.get('mobilepool_hub_request_duration_seconds_count{route="none",method="GET",status="4xx"}')).toBe(1)
    expect(after.get('mobilepool_event_streams')).toBe(1)
    expect(after.get('mobilepool_heartbeats_waiting')).toBe(0)
    expect(after.get('mobilepool_devices{status="pending"}')).toBe(1)
    expect([...after.keys()].join('\n')).not.toContain('nowhere')
  })

  test('name a bounded number of devices, and forget one that is removed', async () => {
    const added = []
    for (const name of ['amur-01', 'kazan-02', 'zeya-09']) added.push(await hub.addDevice({ name }))
    const [, , zeya] = added
    await hub.ask('/api/v1/usage', { method: 'POST', key: 'admin', body: { id: randomUUID(), records: [usageRecord(zeya.id)] } })
    const cut = await scrape()
    const named = [...cut.keys()].filter((name) => name.startsWith('device_health_status'))
    expect(named).toEqual(['device_health_status{device="amur-01"}', 'device_health_status{device="busan-03"}'])
    expect(cut.get('requests_total{device="other",status="2xx"}')).toBe(1)
    for (const { name } of added) await hub.ask(`/api/v1/admin/devices/${name}`, { method: 'DELETE', key: 'admin' })
    const after = await scrape()
    expect(after.has('requests_total{device="other",status="2xx"}')).toBe(false)
    expect(after.has('device_health_status{device="amur-01"}')).toBe(false)
  })

  test('take a key where the status does', async () => {
    const closed = await startHub({ publicStatus: false })
    expect((await closed.ask('/metrics')).status).toBe(401)
    expect((await closed.ask('/metrics', { key: await closed.parserKey() })).status).toBe(200)
    await closed.remove()
  })
})
