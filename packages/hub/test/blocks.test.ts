import { blockList } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Ask } from './client.ts'
import { startHub, type TestHub } from './hub.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ trustProxy: ['127.0.0.9'], blockAfter: 5, blockMs: 60_000 })
})
afterAll(() => hub.remove())

/** A request that comes, through the trusted proxy, from any address. */
const from = (address: string, path: string, ask: Ask = {}) =>
  hub.ask(path, { ...ask, from: '127.0.0.9', headers: { 'x-forwarded-for': address } })
const blocks = async () => blockList.parse((await hub.ask('/api/v1/blocks', { key: 'admin' })).json).blocks
const offend = async (address: string) => {
  for (let n = 0; n < 5; n++) expect((await from(address, '/api/v1/users')).status).toBe(401)
  await vi.waitFor(async () => expect((await from(address, '/healthz')).json).toMatchObject({ code: 'address_blocked' }))
}

describe('an address that is refused too often', () => {
  test('is blocked for a time, seen and let in again by admins, and longer the next time', async () => {
    await offend('203.0.113.7')
    const answer = await from('203.0.113.7', '/')
    expect(answer).toMatchObject({ status: 403, json: { code: 'address_blocked', detail: expect.stringContaining('5 refused requests') } })
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(50)
    expect(await blocks()).toMatchObject([{ address: '203.0.113.7', times: 1 }])
    expect((await from('203.0.113.8', '/healthz')).status).toBe(200)

    hub = await hub.restart()
    expect((await from('203.0.113.7', '/healthz')).status).toBe(403)
    expect((await hub.ask('/api/v1/blocks/203.0.113.7', { method: 'DELETE', key: 'admin' })).status).toBe(204)
    expect((await hub.ask('/api/v1/blocks/203.0.113.7', { method: 'DELETE', key: 'admin' })).json).toMatchObject({ code: 'not_found' })
    expect((await from('203.0.113.7', '/healthz')).status).toBe(200)
    expect(await blocks()).toEqual([])
  })

  test('of IPv6 is blocked with its whole /64', async () => {
    await offend('2001:db8:7::1')
    expect((await from('2001:db8:7::ffff', '/healthz')).status).toBe(403)
    expect((await from('2001:db8:8::1', '/healthz')).status).toBe(200)
    expect(await blocks()).toMatchObject([{ address: '2001:db8:7:0' }])
    expect((await hub.ask('/api/v1/blocks/2001:db8:7:0', { method: 'DELETE', key: 'admin' })).status).toBe(204)
  })

  test('does not take those with it who bring a good key: phones of one carrier share addresses', async () => {
    const key = await hub.enrol('seoul-01')
    await offend('198.51.100.1')
    expect((await from('198.51.100.1', '/proxy_server?name=seoul-01')).status).toBe(403)
    expect((await from('198.51.100.1', `/proxy_server?name=seoul-01&key=${key}`)).status).toBe(200)
    expect((await from('198.51.100.1', '/api/v1/agents/commands?wait=0', { key })).status).toBe(200)
    expect((await from('198.51.100.1', '/api/v1/agents/commands?wait=0', { key: 'mp_made-up' })).json).toMatchObject({
      code: 'address_blocked',
    })
  })
})

test('loopback and trusted proxies are never blocked', async () => {
  for (let n = 0; n < 12; n++) {
    expect((await hub.ask('/api/v1/users')).status).toBe(401)
    expect((await hub.ask('/api/v1/users', { from: '127.0.0.9' })).status).toBe(401)
  }
  expect((await hub.ask('/healthz')).status).toBe(200)
  expect((await hub.ask('/healthz', { from: '127.0.0.9' })).status).toBe(200)
})
