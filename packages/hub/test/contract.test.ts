import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { scriptedAgent } from './agent.ts'
import type { Answer } from './client.ts'
import { type Operation, operationsOf } from './contract/operations.ts'
import { type Recipe, recipes, type World } from './contract/recipes.ts'
import { startHub, type TestHub } from './hub.ts'
import { loggedIn } from './logged-in.ts'

/** They answer with a stream without end. */
const STREAMS = ['GET /api/v1/events']

let hub: TestHub
let operations: Operation[] = []
let recipeOf: Record<string, Recipe[]> = {}
beforeAll(async () => {
  hub = await startHub({ passwordCost: 10, apiRateLimit: 100_000, addressRateLimit: 100_000 })
  operations = operationsOf((await hub.ask('/openapi.json')).json).filter(({ name }) => !STREAMS.includes(name))
  recipeOf = recipes(await makeWorld())
})
afterAll(() => hub.remove())

async function makeWorld(): Promise<World> {
  const agent = await scriptedAgent(hub, 'busan-03')
  await agent.beat('127.10.3.1')
  const waiting = agent.order(20)
  const rotate = await hub.ask('/api/v1/admin/devices/busan-03/rotate', { method: 'POST', key: 'admin' })
  await waiting
  const { id } = rotate.json.rotation
  const said = { old_ip: '127.10.3.1', new_ip: '127.10.3.2' }
  for (const state of ['rotating', 'verifying', 'changed'])
    await agent.report(id, state === 'rotating' ? said.old_ip : said.new_ip, { state, ...said })
  const device = (await hub.ask('/api/v1/admin/devices/busan-03', { key: 'admin' })).json
  const bare = await hub.addDevice({ name: 'omsk-05', device_type: 'generic', proxy_url: 'http://u:p@127.0.0.1:9' })
  const other = await scriptedAgent(hub, 'tver-20')
  await other.beat('127.10.20.1', { telemetry: { operator: 'Tele2' } })
  const batch = await hub.ask('/api/v1/proxy/rotate', { method: 'POST', key: 'admin', body: { operator: 'Tele2' } })
  const order = (await other.order(20)).json.commands[0]
  await other.report(order.id, '127.10.20.1', { state: 'failed', reason: 'no_registration' })
  const user = await loggedIn(hub, 'mallory')
  const key = await hub.ask('/api/v1/keys', { method: 'POST', key: 'admin', body: { name: 'to revoke', scope: 'proxy' } })
  const token = await hub.ask('/api/v1/agents/tokens', { method: 'POST', key: 'admin', body: {} })
  const channel = await hub.ask('/api/v1/alerts/channels', {
    method: 'POST',
    key: 'admin',
    body: { kind: 'webhook', name: 'to change', url: 'http://127.0.0.1:9/hook' },
  })
  const link = await hub.ask('/api/v1/admin/devices/tver-20/rotation-links', { method: 'POST', key: 'admin', body: {} })
  const alert = await vi.waitFor(
    async () => {
      const [found] = (await hub.ask('/api/v1/alerts', { key: 'admin' })).json.alerts
      expect(found).toBeDefined()
      return found
    },
    { timeout: 40_000, interval: 100 },
  )
  return {
    agent: { id: device.id, name: 'busan-03', key: agent.key },
    bare: { id: bare.id, name: 'omsk-05' },
    parserKey: await hub.parserKey(),
    user: { id: user.id, name: 'mallory', password: user.password, token: user.token },
    key: { id: key.json.id },
    rotation: { id },
    batch: { id: batch.json.batch_id },
    alert: { id: alert.id },
    channel: { id: channel.json.id },
    link: { id: link.json.link.id, device: 'tver-20', secret: new URL(link.json.url).pathname.split('/').at(-1) ?? '' },
    enrolToken: token.json.token,
  }
}

/** A request to an operation, with its path filled in. */
function call({ method, path }: Pick<Operation, 'method' | 'path'>, { params = {}, query, status: _, ...ask }: Recipe): Promise<Answer> {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => encodeURIComponent(params[name] ?? randomUUID()))
  return hub.ask(query === undefined ? filled : `${filled}?${query}`, { ...ask, method })
}

test('every operation has a recipe here, and every recipe an operation', () => {
  expect(new Set(Object.keys(recipeOf))).toEqual(new Set(operations.map(({ name }) => name)))
})

test('no operation answers invalid input with anything but a described problem, and nothing of it is taken', async () => {
  const complaints: string[] = []
  const expectProblem = async (operation: Operation, what: string, statuses: readonly number[], recipe: Recipe): Promise<void> => {
    const answer = await call(operation, recipe)
    const complaint = operation.complaint(answer)
    const line = `${operation.name}, ${what}: `
    if (complaint !== null) complaints.push(line + complaint)
    else if (!statuses.includes(answer.status)) complaints.push(`${line}${answer.status} ${answer.text.slice(0, 200)}`)
  }
  for (const [index, operation] of operations.entries()) {
    const [recipe] = recipeOf[operation.name] ?? []
    if (!recipe) continue
    const { body, raw, ...rest } = recipe
    for (const { in: place, name, required, schema } of operation.parameters) {
      const isFree = schema.type === 'string' && !['format', 'enum', 'pattern'].some((key) => key in schema)
      if (place === 'path')
        await expectProblem(operation, `a bad ${name}`, [400, 404], { ...recipe, params: { ...recipe.params, [name]: ' !' } })
      else if (!isFree) await expectProblem(operation, `a bad ${name}`, [400], { ...recipe, query: `${name}=%00!` })
      if (place === 'query' && required) await expectProblem(operation, `no ${name}`, [400], { ...rest, query: '' })
    }
    if (operation.bodyTypes.join() === 'application/json') {
      await expectProblem(operation, 'a list', [400], { ...rest, body: [] })
      await expectProblem(operation, 'broken JSON', [400], { ...rest, raw: '{"a":' })
      const nonsense = { ...(typeof body === 'object' && body !== null && !Array.isArray(body) ? body : {}), no_such_field: 1 }
      await expectProblem(operation, 'an unknown field', [400], { ...rest, body: nonsense })
      await expectProblem(operation, 'another type', [400, 415], { ...rest, raw: 'a=b', headers: { 'content-type': 'text/x-odd' } })
    }
    const { key, ...keyless } = recipe
    if (key !== undefined) {
      await expectProblem(operation, 'a wrong key', [401], { ...recipe, key: `mp_${'x'.repeat(40)}`, from: `127.10.66.${index}` } as Recipe)
      const answer = await call(operation, keyless as Recipe)
      if (answer.status < 300) complaints.push(`${operation.name} without a key: ${answer.status}`)
    }
  }
  expect(complaints).toEqual([])
})

test('every operation answers valid input as it is described', async () => {
  const complaints: string[] = []
  for (const [name, cases] of Object.entries(recipeOf)) {
    const operation = operations.find((each) => each.name === name)
    if (!operation) continue
    for (const recipe of cases) {
      const answer = await call(operation, recipe)
      const complaint = operation.complaint(answer)
      if (complaint !== null) complaints.push(`${name}: ${complaint}`)
      else if (answer.status !== recipe.status)
        complaints.push(`${name}: ${answer.status} instead of ${recipe.status}: ${answer.text.slice(0, 200)}`)
    }
  }
  expect(complaints).toEqual([])
})
