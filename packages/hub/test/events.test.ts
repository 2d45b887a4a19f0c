import { once } from 'node:events'
import { connect } from 'node:net'
import { type HubEventName, hubEvents, publicEvents } from '@mobilepool/sdk/contract'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { scriptedAgent } from './agent.ts'
import { EventReader } from './event-reader.ts'
import { ADMIN_KEY, startHub, type TestHub } from './hub.ts'

let hub: TestHub
const readers: EventReader[] = []
beforeEach(async () => {
  hub = await startHub()
})
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close()
  await hub.remove()
})

const listen = async (options: ConstructorParameters<typeof EventReader>[1] = {}, path = '/api/v1/events'): Promise<EventReader> => {
  const reader = new EventReader(hub.url + path, options)
  readers.push(reader)
  await reader.opened
  return reader
}
const listenAs = (key: string, headers: Record<string, string> = {}) => listen({ headers: { authorization: `Bearer ${key}`, ...headers } })

describe('the event stream', () => {
  test('tells of a device from its first heartbeat to its removal, in valid events of the contract', async () => {
    const stream = await listenAs(ADMIN_KEY)
    await hub.ask('/proxy_server?name=seoul-01', { from: '127.10.1.1' })
    await hub.ask('/proxy_server?name=seoul-01', { from: '127.10.1.2' })
    await hub.addDevice({ name: 'seoul-01', proxy_url: 'http://u:p@10.0.0.1:80' })
    await stream.until('heartbeats')
    await hub.ask('/api/v1/admin/devices/seoul-01', { method: 'DELETE', key: 'admin' })
    await stream.until('device_removed')
    const names = stream.events.map(({ name }) => name)
    expect(names.filter((name) => name !== 'heartbeats')).toEqual(['device', 'ip_changed', 'device', 'device', 'device_removed'])
    for (const { name, data } of stream.events) hubEvents[name as HubEventName].parse(data)
    const [pending, moved, adopted] = stream.events.filter(({ name }) => name === 'device').map(({ data }) => data)
    expect(pending).toMatchObject({ status: 'pending', exit_ip: '127.10.1.1', proxy_url: null })
    expect(moved).toMatchObject({ exit_ip: '127.10.1.2', ip_changes: 1 })
    expect(adopted).toMatchObject({ status: 'online', proxy_url: 'http://u:p@10.0.0.1:80' })
  })

  test('without a key shows the public line of a device, without credentials and remarks', async () => {
    const stream = await listen()
    const agent = await scriptedAgent(hub, 'busan-03')
    await agent.beat('127.10.3.1', { proxy_url: 'http://jean:correct-horse@10.0.0.5:8080' })
    await hub.ask('/api/v1/admin/devices/busan-03/rotate', { method: 'POST', key: 'admin', body: { comment: '403 from example.com' } })
    await stream.until('rotation')
    expect(stream.text).not.toMatch(/correct-horse|10\.0\.0\.5|example\.com/)
    for (const { name, data } of stream.events) publicEvents[name as HubEventName].parse(data)
  })

  test('does not show pending names to parsers', async () => {
    const stream = await listenAs(await hub.parserKey())
    await hub.ask('/proxy_server?name=pending-01')
    await hub.addDevice({ name: 'adopted-01' })
    await stream.until('device')
    expect(stream.events.filter(({ name }) => name === 'device').map(({ data }) => data.name)).toEqual(['adopted-01'])
  })

  test('resumes where a listener left off, by header or by query, and misses nothing', async () => {
    const first = await listenAs(ADMIN_KEY)
    await hub.addDevice({ name: 'd-1' })
    await first.until('device')
    first.close()
    for (const name of ['d-2', 'd-3']) await hub.addDevice({ name })
    const byHeader = await listenAs(ADMIN_KEY, { 'last-event-id': first.lastEventId })
    const byQuery = await listen({}, `/api/v1/events?last_event_id=${first.lastEventId}`)
    await hub.addDevice({ name: 'd-4' })
    for (const stream of [byHeader, byQuery]) {
      await vi.waitFor(() =>
        expect(stream.events.filter(({ name }) => name === 'device').map(({ data }) => data.name)).toEqual(['d-2', 'd-3', 'd-4']),
      )
      const ids = stream.events.flatMap(({ id }) => (id === '' ? [] : [id]))
      expect(new Set(ids).size).toBe(ids.length)
    }
  })

  test('begins where the list ends', async () => {
    await hub.addDevice({ name: 'd-1' })
    const { last_event_id: id } = (await hub.ask('/api/v1/proxy/list', { key: 'admin' })).json
    await hub.addDevice({ name: 'd-2' })
    const stream = await listenAs(ADMIN_KEY, { 'last-event-id': id })
    await stream.until('device')
    expect(stream.events.map(({ data }) => data.name)).toEqual(['d-2'])
    expect((await hub.ask('/status')).json.last_event_id).toBe(stream.lastEventId)
  })

  test('says reset when it no longer knows what was missed: another start, too long ago, nonsense', async () => {
    const { last_event_id: ofThisStart } = (await hub.ask('/status')).json
    hub = await hub.restart()
    for (const id of [ofThisStart, 'nonsense', '']) {
      const stream = await listenAs(ADMIN_KEY, { 'last-event-id': id })
      if (id !== '') await stream.until('reset')
      await hub.addDevice({ name: `d-${id || 'none'}` })
      await stream.until('device')
      expect(stream.events.map(({ name }) => name)).toEqual(id === '' ? ['device'] : ['reset', 'device'])
    }
    const { last_event_id: before } = (await hub.ask('/status')).json
    for (let n = 0; n < 1_001; n++) await hub.ask('/proxy_server?name=flapper', { from: `127.10.7.${1 + (n % 2)}` })
    const late = await listenAs(ADMIN_KEY, { 'last-event-id': before })
    await late.until('reset')
    expect(late.lastEventId).toBe((await hub.ask('/status')).json.last_event_id)
  })

  test('ends when its key is revoked', async () => {
    const { json: key } = await hub.ask('/api/v1/keys', { method: 'POST', key: 'admin', body: { name: 'p', scope: 'proxy' } })
    const stream = await listenAs(key.key)
    await hub.ask(`/api/v1/keys/${key.id}`, { method: 'DELETE', key: 'admin' })
    await stream.ended
  })

  test('is read by the browser’s EventSource as well: type, retry, and a page of an allowed origin', async () => {
    hub = await hub.restart({ corsOrigins: ['https://page.example'] })
    const stream = await listen({ headers: { origin: 'https://page.example' } })
    expect(stream.headers['access-control-allow-origin']).toBe('https://page.example')
    expect(stream.headers['content-type']).toContain('text/event-stream')
    expect(stream.headers['cache-control']).toBe('no-store')
    expect(stream.text.startsWith('retry: 2000\n\n')).toBe(true)
  })

  test('cuts a reader that does not read, and nobody else', async () => {
    const { port } = hub
    const stalled = connect(port, '127.0.0.1')
    await once(stalled, 'connect')
    stalled.write(`GET /api/v1/events HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${ADMIN_KEY}\r\n\r\n`)
    await once(stalled, 'data')
    stalled.pause()
    const closed = once(stalled, 'close')
    stalled.on('error', () => {})
    const well = await listenAs(ADMIN_KEY)
    const tags = Array.from({ length: 50 }, (_, n) => `${n}-${'x'.repeat(90)}`)
    await hub.addDevice({ name: 'big', tags })
    // Sockets and kernel hold some megabytes before the hub's own bound counts.
    for (let n = 0; n < 3_000; n += 20)
      await Promise.all(Array.from({ length: 20 }, (_, i) => hub.ask('/proxy_server?name=big', { from: `127.10.7.${1 + (i % 2)}` })))
    const { last_event_id: last } = (await hub.ask('/status')).json
    await vi.waitFor(() => expect(well.lastEventId).toBe(last), { timeout: 10_000 })
    stalled.resume()
    await closed
    expect(well.isOpen).toBe(true)
  }, 120_000)
})

test('every stream ends with the hub, at once', async () => {
  const streams = await Promise.all([listen(), listenAs(ADMIN_KEY)])
  const asked = Date.now()
  await hub.close()
  await Promise.all(streams.map((stream) => stream.ended))
  expect(Date.now() - asked).toBeLessThan(3_000)
})
