import {
  agentCommands,
  agentHeartbeatReply,
  enrollReply,
  fleetRotateReply,
  problem,
  rotateReply,
  rotation,
  rotationList,
} from '@mobilepool/sdk/contract'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type ScriptedAgent, scriptedAgent, speakFor } from './agent.ts'
import { startHub, type TestHub } from './hub.ts'

let hub: TestHub
afterEach(() => hub.remove())

const rotate = (name: string, body?: unknown) =>
  hub.ask(`/api/v1/admin/devices/${name}/rotate`, { method: 'POST', key: 'admin', ...(body === undefined ? {} : { body }) })
const rotateAll = (body: unknown = {}) => hub.ask('/api/v1/proxy/rotate', { method: 'POST', key: 'admin', body })
const look = async (id: string) => rotation.parse((await hub.ask(`/api/v1/rotations/${id}`, { key: 'admin' })).json)
const deviceOf = async (name: string) => (await hub.ask(`/api/v1/admin/devices/${name}`, { key: 'admin' })).json
const ended = (id: string) =>
  vi.waitFor(
    async () => {
      const found = await look(id)
      expect(found.ended_at).not.toBeNull()
      return found
    },
    { timeout: 10_000, interval: 50 },
  )

/** An agent's device that has been heard at an address. */
async function liveAgent(name: string, ip: string): Promise<ScriptedAgent> {
  const agent = await scriptedAgent(hub, name)
  await agent.beat(ip)
  return agent
}

describe('an agent', () => {
  test('enrols once with its token, and its heartbeats need its key from then on', async () => {
    hub = await startHub()
    const { json } = await hub.ask('/api/v1/agents/tokens', { method: 'POST', key: 'admin' })
    const body = { token: json.token, name: 'busan-03', device_type: 'android', operator: 'SKT', agent_version: '1.0.0' }
    const enrolled = await hub.ask('/api/v1/agents/enroll', { method: 'POST', body })
    expect(enrolled.status).toBe(201)
    const { device_key: key } = enrollReply.parse(enrolled.json)
    expect((await hub.ask('/api/v1/agents/enroll', { method: 'POST', body: { ...body, name: 'thief' } })).json.code).toBe('unauthorized')

    const heard = await speakFor(() => hub, key).beat('127.10.3.1')
    expect(agentHeartbeatReply.parse(heard.json)).toMatchObject({ name: 'busan-03', remote_ip: '127.10.3.1', ip_changed: false })
    expect(await deviceOf('busan-03')).toMatchObject({
      kind: 'agent',
      status: 'online',
      exit_ip: '127.10.3.1',
      proxy_url: 'http://127.0.0.1:8080',
      operator: 'SKT',
    })
    expect((await hub.ask('/proxy_server?name=busan-03')).status).toBe(401)
    expect(hub.log()).not.toContain(key)
    expect(hub.log()).not.toContain(json.token)
  })

  test('whose reply was lost may ask again with its token until its key is used', async () => {
    hub = await startHub()
    const { json } = await hub.ask('/api/v1/agents/tokens', { method: 'POST', key: 'admin' })
    const enroll = (name: string) =>
      hub.ask('/api/v1/agents/enroll', {
        method: 'POST',
        body: { token: json.token, name, device_type: 'android', agent_version: '1.0.0' },
      })
    const lost = await enroll('busan-03')
    expect((await enroll('thief')).json.code).toBe('unauthorized')
    const again = await enroll('busan-03')
    expect(again.json.device_id).toBe(lost.json.device_id)
    expect((await speakFor(() => hub, lost.json.device_key).beat('127.10.3.1')).status).toBe(401)
    expect((await speakFor(() => hub, again.json.device_key).beat('127.10.3.1')).status).toBe(200)
    expect((await enroll('busan-03')).json.code).toBe('unauthorized')
    expect((await speakFor(() => hub, again.json.device_key).beat('127.10.3.1')).status).toBe(200)
  })

  test('that lost its key comes back with a token for its name only, and the old key ends', async () => {
    hub = await startHub()
    const old = await liveAgent('busan-03', '127.10.3.1')
    const { id } = await deviceOf('busan-03')
    const free = (await hub.ask('/api/v1/agents/tokens', { method: 'POST', key: 'admin' })).json.token
    const enroll = (token: string) =>
      hub.ask('/api/v1/agents/enroll', {
        method: 'POST',
        body: { token, name: 'busan-03', device_type: 'android', agent_version: '1.0.1' },
      })
    expect((await enroll(free)).json).toMatchObject({ code: 'device_exists' })
    const again = await hub.enrol('busan-03')
    expect((await old.beat('127.10.3.1')).status).toBe(401)
    expect((await speakFor(() => hub, again).beat('127.10.3.1')).status).toBe(200)
    expect((await deviceOf('busan-03')).id).toBe(id)
    const named = (await hub.ask('/api/v1/agents/tokens', { method: 'POST', key: 'admin', body: { name: 'omsk-05' } })).json.token
    expect((await enroll(named)).json).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('omsk-05') })
  })
})

describe('a rotation', () => {
  test('is ordered at once over the long poll, reported step by step, and judged by the address the hub sees', async () => {
    hub = await startHub()
    const agent = await liveAgent('busan-03', '127.10.3.1')
    const waiting = agent.order(20)
    const accepted = await rotate('busan-03', { trigger: 'ban', comment: '403 from example.com' })
    expect(accepted.status).toBe(202)
    const { id } = rotateReply.parse(accepted.json).rotation
    const orders = agentCommands.parse((await waiting).json)
    expect(orders.commands).toMatchObject([{ id, type: 'rotate', method: null, drain_ms: 3_000 }])

    expect(await deviceOf('busan-03')).toMatchObject({ status: 'rotating' })
    expect((await agent.report(id, '127.10.3.1', { state: 'draining', old_ip: '127.10.3.1' })).json.rotation.state).toBe('draining')
    expect((await agent.report(id, '127.10.3.1', { state: 'rotating', old_ip: '127.10.3.1' })).json.rotation.state).toBe('rotating')
    expect((await agent.report(id, '127.10.3.2', { state: 'verifying', old_ip: '127.10.3.1' })).json.rotation.state).toBe('verifying')
    const said = { state: 'changed', old_ip: '127.10.3.1', new_ip: '127.10.3.2' }
    expect((await agent.report(id, '127.10.3.2', said)).json.rotation).toMatchObject({
      state: 'changed',
      old_ip: '127.10.3.1',
      new_ip: '127.10.3.2',
    })
    // Repeated because its answer was lost: acknowledged with the same verdict.
    expect((await agent.report(id, '127.10.3.2', said)).json.rotation).toMatchObject({ id, state: 'changed' })

    expect(await look(id)).toMatchObject({ trigger: 'ban', method: 'airplane_mode', detail: '403 from example.com' })
    expect(await deviceOf('busan-03')).toMatchObject({
      status: 'online',
      exit_ip: '127.10.3.2',
      ip_changes: 1,
      rotations: { changed: 1, unchanged: 0, failed: 0 },
      last_rotation: { outcome: 'changed', trigger: 'ban', reason: null },
    })
    expect((await agent.order(0)).json.commands).toEqual([])
  })

  test('whose agent lies is what the hub saw', async () => {
    hub = await startHub()
    const agent = await liveAgent('busan-03', '127.10.3.1')
    const go = async (from: string, body: Record<string, unknown>) => {
      const { id } = (await rotate('busan-03')).json.rotation
      await agent.report(id, from, body)
      return look(id)
    }
    expect(await go('127.10.3.1', { state: 'changed', old_ip: '127.10.3.1', new_ip: '127.10.3.99' })).toMatchObject({
      state: 'unchanged',
      new_ip: '127.10.3.1',
      detail: expect.stringContaining('the hub saw 127.10.3.1'),
    })
    expect(await go('127.10.3.2', { state: 'unchanged', old_ip: '127.10.3.1', new_ip: '127.10.3.1' })).toMatchObject({
      state: 'changed',
      new_ip: '127.10.3.2',
    })
    expect(await go('127.10.3.3', { state: 'failed', reason: 'egress_leak' })).toMatchObject({
      state: 'failed',
      reason: 'egress_leak',
      new_ip: null,
    })
    expect((await deviceOf('busan-03')).rotations).toEqual({ changed: 1, unchanged: 1, failed: 1 })
  })

  test('is one at a time for a device, and says which one is in the way', async () => {
    hub = await startHub()
    const agent = await liveAgent('busan-03', '127.10.3.1')
    const { id } = (await rotate('busan-03')).json.rotation
    const second = await rotate('busan-03')
    expect(second.status).toBe(409)
    expect(problem.parse(second.json)).toMatchObject({ code: 'rotation_running', rotation_id: id })
    const both = await Promise.all([rotate('busan-03'), rotate('busan-03')])
    expect(both.map(({ status }) => status)).toEqual([409, 409])
    await agent.report(id, '127.10.3.2', { state: 'changed' })
    expect((await rotate('busan-03')).status).toBe(202)
  })

  test('soon after the last one is refused with the time to wait', async () => {
    hub = await startHub({ rotationMinIntervalMs: 60_000 })
    const agent = await liveAgent('busan-03', '127.10.3.1')
    const { id } = (await rotate('busan-03')).json.rotation
    await agent.report(id, '127.10.3.2', { state: 'changed' })
    const soon = await rotate('busan-03')
    expect(soon.status).toBe(429)
    expect(soon.json).toMatchObject({ code: 'rotation_too_soon', retry_after: 60 })
    expect(soon.headers['retry-after']).toBe('60')
  })

  test('of a bare, pending, maintained or unknown device is refused, each for its reason', async () => {
    hub = await startHub()
    await hub.addDevice({ name: 'bare-01' })
    await hub.ask('/proxy_server?name=pending-01')
    await liveAgent('busan-03', '127.10.3.1')
    await hub.ask('/api/v1/admin/devices/busan-03', { method: 'PATCH', key: 'admin', body: { maintenance: true } })
    const answers = await Promise.all(['bare-01', 'pending-01', 'busan-03', 'nobody'].map((name) => rotate(name)))
    expect(answers.map(({ json }) => [json.status, json.code])).toEqual([
      [409, 'rotation_unsupported'],
      [409, 'rotation_unsupported'],
      [409, 'rotation_unsupported'],
      [404, 'not_found'],
    ])
    expect(answers.slice(0, 3).map(({ json }) => json.detail)).toEqual([
      expect.stringContaining('no agent'),
      expect.stringContaining('pending'),
      expect.stringContaining('maintenance'),
    ])
    expect((await rotate('busan-03', { method: 'teleport' })).json).toMatchObject({ code: 'bad_request', errors: [{ field: 'method' }] })
  })

  test('that nobody ends is failed at its deadline', async () => {
    hub = await startHub({ rotationTimeoutMs: 1_000 })
    const agent = await liveAgent('kazan-02', '127.10.2.1')
    const { id } = (await rotate('kazan-02')).json.rotation
    expect(await ended(id)).toMatchObject({ state: 'failed', reason: 'deadline_exceeded' })
    const late = await agent.report(id, '127.10.2.2', { state: 'changed', old_ip: '127.10.2.1' })
    expect(late.json.rotation).toMatchObject({ state: 'failed', reason: 'deadline_exceeded' })
    expect((await rotate('kazan-02')).status).toBe(202)
  })

  test('ends when its device goes into maintenance, and with its device', async () => {
    hub = await startHub()
    const agent = await liveAgent('busan-03', '127.10.3.1')
    const { id } = (await rotate('busan-03')).json.rotation
    await hub.ask('/api/v1/admin/devices/busan-03', { method: 'PATCH', key: 'admin', body: { maintenance: true } })
    expect(await look(id)).toMatchObject({ state: 'failed', reason: 'canceled' })
    await hub.ask('/api/v1/admin/devices/busan-03', { method: 'PATCH', key: 'admin', body: { maintenance: false } })
    const second = (await rotate('busan-03')).json.rotation.id
    await hub.ask('/api/v1/admin/devices/busan-03', { method: 'DELETE', key: 'admin' })
    expect((await hub.ask(`/api/v1/rotations/${second}`, { key: 'admin' })).status).toBe(404)
    expect((await agent.report(second, '127.10.3.1', { state: 'rotating' })).status).toBe(401)
  })

  test('order of another device can be neither seen nor reported on', async () => {
    hub = await startHub()
    const [, thief] = [await liveAgent('busan-03', '127.10.3.1'), await liveAgent('omsk-05', '127.10.5.1')]
    const { id } = (await rotate('busan-03')).json.rotation
    expect((await thief.order(0)).json.commands).toEqual([])
    expect((await thief.report(id, '127.10.5.2', { state: 'changed' })).status).toBe(404)
    expect((await look(id)).state).toBe('draining')
  })
})

describe('the whole fleet', () => {
  test('rotates in turn: at most the share of it is away at once, the rest waits', async () => {
    hub = await startHub({ rotationMaxParallel: 0.5 })
    const names = ['busan-03', 'kazan-02', 'moscow-07', 'seoul-01']
    const agents = new Map<string, ScriptedAgent>()
    for (const [n, name] of names.entries()) agents.set(name, await liveAgent(name, `127.10.${n + 1}.1`))
    await hub.addDevice({ name: 'bare-01' })
    const answer = await rotateAll({ trigger: 'forced' })
    const reply = fleetRotateReply.parse(answer.json)
    expect(reply.refused).toMatchObject([{ device: 'bare-01', code: 'rotation_unsupported' }])
    expect(reply.rotations).toHaveLength(4)

    let most = 0
    for (let done = 0; done < 4; done++) {
      const { devices } = (await hub.ask('/api/v1/proxy/list?status=rotating', { key: 'admin' })).json
      most = Math.max(most, devices.length)
      const [first] = devices as { name: string }[]
      const agent = agents.get(first?.name ?? '')
      const { commands } = agentCommands.parse((await agent?.order(5))?.json)
      await agent?.report(commands[0]?.id ?? '', `127.10.${names.indexOf(agent.name) + 1}.2`, { state: 'changed' })
      await vi.waitFor(async () => {
        const left = (await hub.ask('/api/v1/proxy/list?status=rotating', { key: 'admin' })).json.total
        expect(left).toBe(Math.min(2, 3 - done))
      })
    }
    expect(most).toBe(2)
    const { rotations } = rotationList.parse((await hub.ask('/api/v1/rotations?limit=10', { key: 'admin' })).json)
    expect(rotations.map(({ state }) => state)).toEqual(['changed', 'changed', 'changed', 'changed'])
    expect((await hub.ask('/api/v1/rotations?device=busan-03', { key: 'admin' })).json.rotations).toHaveLength(1)
  })

  test('one device of it is rotated by name, and refused as a problem', async () => {
    hub = await startHub()
    await liveAgent('busan-03', '127.10.3.1')
    expect((await rotateAll({ device: 'busan-03' })).json).toMatchObject({ rotations: [{ device_name: 'busan-03' }], refused: [] })
    expect((await rotateAll({ device: 'busan-03' })).json.code).toBe('rotation_running')
    expect((await rotateAll({ device: 'nobody' })).json.code).toBe('not_found')
  })
})

describe('an exit IP that comes back', () => {
  test('is recognised in the rotation that brought it, and in the list', async () => {
    hub = await startHub()
    const agent = await liveAgent('busan-03', '127.10.3.1')
    const go = async (from: string, to: string): Promise<string> => {
      const { id } = (await rotate('busan-03')).json.rotation
      await agent.order(5)
      await agent.report(id, to, { state: 'changed', old_ip: from, new_ip: to })
      return id
    }
    const first = await go('127.10.3.1', '127.10.3.2')
    const second = await go('127.10.3.2', '127.10.3.1')
    await vi.waitFor(async () => expect(await look(second)).toMatchObject({ state: 'changed', ip_seen_before: { times: 1 } }), {
      timeout: 10_000,
    })
    expect(await look(first)).toMatchObject({ state: 'changed', ip_seen_before: null })
    const { rotations } = rotationList.parse((await hub.ask('/api/v1/rotations', { key: 'admin' })).json)
    expect(rotations.map(({ id, ip_seen_before }) => [id, ip_seen_before?.times ?? 0])).toEqual([
      [second, 1],
      [first, 0],
    ])
  })
})

describe('a hub that is restarted', () => {
  test('goes on with the rotation: same order, same id, judged by what was seen before the restart', async () => {
    hub = await startHub()
    const { key } = await liveAgent('busan-03', '127.10.3.1')
    const agent = speakFor(() => hub, key)
    const { id } = (await rotate('busan-03')).json.rotation
    expect((await agent.order(5)).json.commands[0].id).toBe(id)
    hub = await hub.restart()
    expect(await deviceOf('busan-03')).toMatchObject({ status: 'rotating' })
    expect((await agent.order(5)).json.commands[0].id).toBe(id)
    expect((await rotate('busan-03')).json).toMatchObject({ code: 'rotation_running', rotation_id: id })
    await agent.beat('127.10.3.2')
    await agent.report(id, '127.10.3.2', { state: 'changed', old_ip: '127.10.3.1', new_ip: '127.10.3.2' })
    expect(await look(id)).toMatchObject({ state: 'changed', old_ip: '127.10.3.1', new_ip: '127.10.3.2' })
  })

  test('gives waiting ones their turn', async () => {
    hub = await startHub()
    const first = await liveAgent('busan-03', '127.10.3.1')
    await liveAgent('kazan-02', '127.10.2.1')
    const one = (await rotate('busan-03')).json.rotation
    const two = (await rotate('kazan-02')).json.rotation
    expect([one.state, two.state]).toEqual(['draining', 'queued'])
    hub = await hub.restart()
    expect((await look(two.id)).state).toBe('queued')
    await speakFor(() => hub, first.key).report(one.id, '127.10.3.2', { state: 'changed' })
    await vi.waitFor(async () => expect((await look(two.id)).state).toBe('draining'), { timeout: 5_000 })
  })

  test('ends a rotation whose time ran out meanwhile, but lets a report that is on its way come first', async () => {
    hub = await startHub({ rotationTimeoutMs: 1_000 })
    const { key } = await liveAgent('busan-03', '127.10.3.1')
    const { id } = (await rotate('busan-03')).json.rotation
    const { createdAt } = { createdAt: Date.now() }
    hub = await hub.restart()
    await vi.waitFor(() => expect(Date.now() - createdAt).toBeGreaterThan(1_500), { timeout: 3_000 })
    expect((await look(id)).state).toBe('draining')
    await speakFor(() => hub, key).report(id, '127.10.3.2', { state: 'changed' })
    expect((await look(id)).state).toBe('changed')
  })
})
