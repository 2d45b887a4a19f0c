import { randomUUID } from 'node:crypto'
import { fleetRotateReply, problem, rotation, rotationBatch, rotationList } from '@mobilepool/sdk/contract'
import { afterEach, expect, test, vi } from 'vitest'
import { type ScriptedAgent, scriptedAgent } from './agent.ts'
import { startHub, type TestHub } from './hub.ts'

let hub: TestHub
afterEach(() => hub.remove())

const post = (path: string, body?: unknown) =>
  hub.ask(`/api/v1/${path}`, { method: 'POST', key: 'admin', ...(body === undefined ? {} : { body }) })
const get = async (path: string) => (await hub.ask(`/api/v1/${path}`, { key: 'admin' })).json
const look = async (id: string) => rotation.parse(await get(`rotations/${id}`))
const rotate = async (name: string): Promise<string> => (await post(`admin/devices/${name}/rotate`)).json.rotation.id
const reaches = (id: string, over: Record<string, unknown>) =>
  vi.waitFor(async () => expect(await look(id)).toMatchObject(over), { timeout: 15_000, interval: 50 })

async function liveAgent(name: string, ip: string): Promise<ScriptedAgent> {
  const agent = await scriptedAgent(hub, name)
  await agent.beat(ip)
  return agent
}

test('a rotation that waits for its turn can be called off, one that runs cannot', async () => {
  hub = await startHub({ rotationMaxParallel: 0.01 })
  const [busan, seoul] = [await liveAgent('busan-03', '127.10.3.1'), await liveAgent('seoul-01', '127.10.1.1')]
  const [runs, waits] = [await rotate('busan-03'), await rotate('seoul-01')]
  await reaches(runs, { state: 'draining' })
  expect(await look(waits)).toMatchObject({ state: 'queued', attempt: 0 })

  expect(rotation.parse((await post(`rotations/${waits}/cancel`)).json)).toMatchObject({ id: waits, state: 'failed', reason: 'canceled' })
  expect(await look(waits)).toMatchObject({ state: 'failed', reason: 'canceled', detail: 'Called off by an admin.', attempts: [] })
  const refused = await post(`rotations/${runs}/cancel`)
  expect(problem.parse(refused.json)).toMatchObject({ status: 409, code: 'rotation_running', rotation_id: runs })
  expect((await post(`rotations/${waits}/cancel`)).status).toBe(200)
  expect((await post(`rotations/${randomUUID()}/cancel`)).json.code).toBe('not_found')

  const [order] = (await busan.order(5)).json.commands
  expect((await busan.report(order.id, '127.10.3.2', { state: 'changed' })).json.rotation).toMatchObject({ state: 'changed' })
  // Its place is free, and the one that was called off does not take it.
  expect((await seoul.order(0)).json.commands).toEqual([])
  const again = await rotate('seoul-01')
  await reaches(again, { state: 'draining' })
  const ended = await post(`rotations/${runs}/cancel`)
  expect(ended.json).toMatchObject({ code: 'rotation_running', detail: expect.stringContaining('changed') })
})

test('a "rotate all" is counted as it goes, and what still waits of it can be called off', async () => {
  hub = await startHub({ rotationMaxParallel: 0.01 })
  const agents = new Map<string, ScriptedAgent>()
  for (const [n, name] of ['busan-03', 'kazan-02', 'seoul-01'].entries()) agents.set(name, await liveAgent(name, `127.10.${n + 1}.1`))
  const { batch_id: batch, rotations } = fleetRotateReply.parse((await post('proxy/rotate', {})).json)
  const other = fleetRotateReply.parse((await post('proxy/rotate', {})).json)
  expect(other.refused.map(({ code }) => code)).toEqual(['rotation_running', 'rotation_running', 'rotation_running'])
  const running = await vi.waitFor(async () => {
    const found = rotationList.parse(await get(`rotations?batch=${batch}&state=draining`)).rotations
    expect(found).toHaveLength(1)
    return found[0]
  })
  expect(rotationBatch.parse(await get(`rotations/batches/${batch}`))).toMatchObject({
    total: 3,
    ended: 0,
    counts: { queued: 2, draining: 1 },
  })

  const after = rotationBatch.parse((await post(`rotations/batches/${batch}/cancel`)).json)
  expect(after).toMatchObject({ total: 3, ended: 2, counts: { queued: 0, draining: 1, failed: 2 } })
  const agent = agents.get(running?.device_name ?? '')
  const [order] = (await agent?.order(5))?.json.commands ?? []
  await agent?.report(order.id, '127.10.9.9', { state: 'changed' })
  expect(rotationBatch.parse(await get(`rotations/batches/${batch}`))).toMatchObject({
    total: 3,
    ended: 3,
    counts: { changed: 1, failed: 2 },
  })
  const listed = rotationList.parse(await get(`rotations?batch=${batch}`)).rotations
  expect(new Set(listed.map(({ id }) => id))).toEqual(new Set(rotations.map(({ id }) => id)))
  expect((await get(`rotations/batches/${randomUUID()}`)).code).toBe('not_found')
  expect((await post(`rotations/batches/${randomUUID()}/cancel`)).json.code).toBe('not_found')
})

test('a rotation of a device that is offline waits for it, holds no place meanwhile, and begins when it is back', async () => {
  hub = await startHub({ rotationMaxParallel: 0.01, agentTimeoutMs: 3_000 })
  const away = await liveAgent('moscow-07', '127.10.7.1')
  await vi.waitFor(async () => expect((await get('admin/devices/moscow-07')).status).toBe('offline'), { timeout: 15_000 })
  const waits = await rotate('moscow-07')
  const busan = await liveAgent('busan-03', '127.10.3.1')
  const goes = await rotate('busan-03')
  await reaches(goes, { state: 'draining' })
  expect((await look(waits)).state).toBe('queued')
  const [order] = (await busan.order(5)).json.commands
  await busan.report(order.id, '127.10.3.2', { state: 'changed' })
  await away.beat('127.10.7.1')
  await reaches(waits, { state: 'draining', attempt: 1 })
})

test('a rotation whose device stays offline fails when the wait is over', async () => {
  hub = await startHub({ agentTimeoutMs: 1_000, rotationOfflineWaitMs: 1_500 })
  await liveAgent('moscow-07', '127.10.7.1')
  await vi.waitFor(async () => expect((await get('admin/devices/moscow-07')).status).toBe('offline'), { timeout: 15_000 })
  const id = await rotate('moscow-07')
  await reaches(id, { state: 'failed', reason: 'device_unreachable', attempt: 0 })
  expect((await look(id)).detail).toMatch(/has been offline for \d+ s/)
})
