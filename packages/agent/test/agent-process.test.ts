import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fetch, ProxyAgent } from 'undici'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { AgentProcess, eventually } from './agent-process.ts'
import { ContractHub } from './contract-hub.ts'

// Each test starts processes, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 90_000 })

let hub: ContractHub
let site: Server
let path: string
let processes: AgentProcess[]
let dispatchers: ProxyAgent[]
let respond: (url: string) => string | null

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'mp-agent-'))
  processes = []
  dispatchers = []
  hub = new ContractHub()
  await hub.start()
  respond = () => null
  site = createServer((req, res) => {
    const answer = respond(req.url ?? '')
    if (answer === null) res.end(`${req.url} seen from ${req.socket.remoteAddress}`)
    else if (answer !== 'never') res.end(answer)
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  await Promise.all(processes.filter((process) => process.isRunning).map((process) => process.kill('SIGKILL')))
  await Promise.all(dispatchers.map((dispatcher) => dispatcher.destroy()))
  await hub.stop()
  site.closeAllConnections()
  await new Promise((resolve) => site.close(resolve))
  await rm(path, { recursive: true, force: true })
  expect(hub.violations).toEqual([])
})

const start = (args: string[], env?: Record<string, string>): AgentProcess => {
  const process = new AgentProcess(args, env)
  processes.push(process)
  return process
}

const stateDir = () => join(path, 'state')
const run = (knobs: Record<string, unknown> = {}, ...more: string[]): AgentProcess => {
  const common = ['--hub', hub.url, '--name', 'seoul-01', '--state-dir', stateDir(), '--driver', 'simulated', '--log-level', 'trace']
  return start(['run', ...common, '--driver-options', JSON.stringify({ firstAddress: '127.10.1.1', ...knobs }), ...more])
}
const firstRun = (knobs: Record<string, unknown> = {}, ...more: string[]): AgentProcess => run(knobs, '--token', 'token-1', ...more)

const proxyUrl = () => eventually(() => hub.heartbeats.at(-1)?.proxy_url, 'a heartbeat with the proxy’s URL')
const page = (text = '/') => `http://127.0.0.1:${(site.address() as AddressInfo).port}${text}`
const through = async (proxyTunnel = true): Promise<(url: string) => Promise<string>> => {
  const dispatcher = new ProxyAgent({ uri: await proxyUrl(), proxyTunnel })
  dispatchers.push(dispatcher)
  return async (url) => (await fetch(url, { dispatcher })).text()
}
const resultOf = (id: string) => eventually(() => hub.resultOf(id), 'the result of the order')
const file = async (name: string): Promise<Record<string, unknown>> => JSON.parse(await readFile(join(stateDir(), name), 'utf8'))
const isDown = async (): Promise<boolean> => (await file('simulated-modem.json').catch(() => null))?.radio === 'off'

describe('a device', () => {
  test('enrols itself, sends heartbeats from its exit IP, and takes requests there', async () => {
    const agent = firstRun({}, '--type', 'android', '--operator', 'MTS')
    await agent.logged('ready')
    const fetchPage = await through()
    expect(await fetchPage(page('/a'))).toBe('/a seen from 127.10.1.1')
    expect(hub.enrolments).toEqual(['seoul-01'])
    expect(hub.heartbeats[0]).toMatchObject({
      from: '127.10.1.1',
      methods: ['airplane_mode'],
      telemetry: { operator: 'SimTel', network_type: 'LTE' },
    })
    expect(await agent.kill('SIGTERM')).toBe(0)
    expect(agent.errors).toBe('')
  })

  test('needs no token on its next start, and keeps its password', async () => {
    await firstRun().logged('ready')
    const before = new URL(await proxyUrl()).password
    await processes[0]?.kill('SIGTERM')
    hub.heartbeats.length = 0
    await run().logged('ready')
    expect(new URL(await proxyUrl()).password).toBe(before)
    expect(hub.enrolments).toEqual(['seoul-01'])
  })

  test('waits for a hub that is not there yet', async () => {
    hub.interfere = () => 503
    const agent = firstRun()
    await agent.logged('not enrolled yet')
    hub.interfere = () => null
    await agent.logged('ready')
  })

  test('asks parsers for its password', async () => {
    await firstRun().logged('ready')
    const { host } = new URL(await proxyUrl())
    const dispatcher = new ProxyAgent({ uri: `http://parser:wrong@${host}`, proxyTunnel: false })
    dispatchers.push(dispatcher)
    await expect(fetch(page(), { dispatcher })).rejects.toMatchObject({ cause: { message: expect.stringContaining('407') } })
  })

  test('refuses private targets where they are not allowed', async () => {
    const config = join(path, 'agent.json')
    const options = {
      hub: hub.url,
      token: 'token-1',
      name: 'seoul-01',
      stateDir: stateDir(),
      driver: 'simulated',
      allowPrivateTargets: false,
    }
    await writeFile(config, JSON.stringify(options))
    await start(['run', '--config', config]).logged('ready')
    const dispatcher = new ProxyAgent({ uri: await proxyUrl(), proxyTunnel: false })
    dispatchers.push(dispatcher)
    const reply = await fetch(page(), { dispatcher })
    expect([reply.status, reply.headers.get('x-mobilepool-error')]).toEqual([599, 'target_refused'])
  })

  test('never writes a secret into its log', async () => {
    const agent = firstRun()
    await agent.logged('ready')
    const fetchPage = await through()
    await fetchPage(page())
    await resultOf(hub.order())
    await agent.kill('SIGTERM')
    const { deviceKey, proxyPassword } = await file('device.json')
    expect(String(proxyPassword).length).toBeGreaterThanOrEqual(32)
    for (const secret of ['token-1', String(deviceKey), String(proxyPassword)]) expect(agent.output + agent.errors).not.toContain(secret)
  })
})

describe('a rotation', () => {
  test('is ordered, told step by step, and ends with another address', async () => {
    const agent = firstRun()
    const fetchPage = await through()
    expect(await fetchPage(page())).toContain('127.10.1.1')
    const id = hub.order()
    expect(await resultOf(id)).toMatchObject({
      state: 'changed',
      method: 'airplane_mode',
      old_ip: '127.10.1.1',
      new_ip: '127.10.1.2',
      from: '127.10.1.2',
    })
    const steps = hub.reports.filter((report) => report.id === id).map(({ state, from }) => `${state} from ${from}`)
    expect(steps.slice(0, 2)).toEqual(['draining from 127.10.1.1', 'rotating from 127.10.1.1'])
    await eventually(() => hub.heartbeats.at(-1)?.from === '127.10.1.2', 'a heartbeat from the new address, at once')
    expect(await (await through())(page())).toContain('127.10.1.2')
    expect(agent.isRunning).toBe(true)
  })

  test('lets requests under way finish, cuts those that do not, and refuses new ones meanwhile', async () => {
    firstRun({ holdsMs: [1_500] })
    const fetchPage = await through(false)
    const asked: string[] = []
    respond = (url) => {
      asked.push(url)
      return url === '/stuck' ? 'never' : null
    }
    const stuck = fetchPage(page('/stuck'))
    await eventually(() => asked.includes('/stuck'), 'the request is under way')
    const id = hub.order({ drain_ms: 300 })
    // It may have reached the site: the client is told that the connection was lost, not that it may repeat.
    expect(JSON.parse(await stuck)).toMatchObject({ status: 595, code: 'connection_reset' })
    expect(JSON.parse(await fetchPage(page('/new')))).toMatchObject({ status: 503, code: 'draining', retry_after: 1 })
    expect(asked).not.toContain('/new')
    await resultOf(id)
    expect(await fetchPage(page('/later'))).toBe('/later seen from 127.10.1.2')
  })

  test('that gets the same address again is unchanged, not changed', async () => {
    firstRun({ poolSize: 1, holdsMs: [100] })
    expect(await resultOf(hub.order())).toMatchObject({ state: 'unchanged', old_ip: '127.10.1.1', new_ip: '127.10.1.1', reason: null })
  })

  test('by a method that the device does not have is failed, with the reason', async () => {
    firstRun()
    expect(await resultOf(hub.order({ method: 'power_cycle' }))).toMatchObject({ state: 'failed', reason: 'unsupported' })
  })

  test('goes by the hub’s clock, not by the phone’s', async () => {
    hub.clockAheadMs = -7_200_000
    firstRun()
    expect(await resultOf(hub.order())).toMatchObject({ state: 'changed' })
  })

  test('ordered again is answered, not executed again', async () => {
    firstRun()
    const id = hub.order()
    await resultOf(id)
    hub.order({ id })
    await eventually(
      () => hub.reports.filter((report) => report.id === id && report.state === 'changed').length === 2,
      'the result is told again',
    )
    expect(hub.reports.at(-1)).toMatchObject({ new_ip: '127.10.1.2', from: '127.10.1.2' })
    expect((await file('simulated-modem.json')).address).toBe(1)
  })

  test('whose agent is killed in the middle is ended by the next one: the device is on, the result is told', async () => {
    // However short the time between the two agents is: it changes its address.
    const knobs = { holdsMs: [60_000], changeAfterHoldMs: 0 }
    firstRun(knobs)
    await proxyUrl()
    const id = hub.order({}, 120_000)
    await eventually(isDown, 'the device is down')
    await processes[0]?.kill('SIGKILL')
    expect(await isDown()).toBe(true)
    const next = run(knobs)
    expect(await resultOf(id)).toMatchObject({
      state: 'changed',
      old_ip: '127.10.1.1',
      new_ip: '127.10.1.2',
      from: '127.10.1.2',
      method: 'airplane_mode',
    })
    expect(await isDown()).toBe(false)
    await next.logged('the hub has the result')
    await eventually(async () => (await (await through())(page())).includes('127.10.1.2'), 'the device serves again')
  })

  test('whose result the hub could not take survives the agent, and is told exactly as it was', async () => {
    firstRun({ holdsMs: [400] })
    await proxyUrl()
    hub.interfere = (_, requestPath) => (requestPath.startsWith('/api/v1/agents/commands/') ? 503 : null)
    const id = hub.order()
    await processes[0]?.logged('rotated')
    await processes[0]?.kill('SIGKILL')
    expect(hub.resultOf(id)).toBeUndefined()
    hub.interfere = () => null
    run()
    expect(await resultOf(id)).toMatchObject({ state: 'changed', old_ip: '127.10.1.1', new_ip: '127.10.1.2' })
    expect((await file('simulated-modem.json')).address).toBe(1)
  })

  test('is canceled when the agent is asked to stop, with the device on again, and told before the end', async () => {
    const agent = firstRun({ holdsMs: [60_000] })
    await proxyUrl()
    const id = hub.order({}, 120_000)
    await eventually(isDown, 'the device is down')
    expect(await agent.kill('SIGTERM')).toBe(0)
    expect(await isDown()).toBe(false)
    expect(hub.resultOf(id)).toMatchObject({ state: 'failed', reason: 'canceled' })
  })

  test('is canceled on Ctrl-C too, which npx hands on once more a moment later', async () => {
    const agent = firstRun({ holdsMs: [60_000] })
    await proxyUrl()
    hub.order({}, 120_000)
    await eventually(isDown, 'the device is down')
    setTimeout(() => agent.kill('SIGINT'), 2)
    expect(await agent.kill('SIGINT')).toBe(0)
    expect(await isDown()).toBe(false)
  })
})

describe('traffic that leaves by the host’s own address', () => {
  test('is stopped, and no rotation pretends to help', async () => {
    const agent = firstRun({ leak: true })
    await agent.logged('nothing is let through')
    const dispatcher = new ProxyAgent({ uri: await proxyUrl(), proxyTunnel: false })
    dispatchers.push(dispatcher)
    const reply = await fetch(page(), { dispatcher })
    expect([reply.status, reply.headers.get('x-mobilepool-error')]).toEqual([503, 'egress_leak'])
    expect(await resultOf(hub.order())).toMatchObject({ state: 'failed', reason: 'egress_leak' })
  })
})

describe('a sabotaged device', () => {
  const twenty = Array.from({ length: 20 }, (_, i) => `/${i}`)

  test.each([[true], [false]])('gives wrong answers (tunnel: %s)', async (tunnel) => {
    firstRun({ sabotage: 'wrong-answers' })
    const fetchPage = await through(tunnel)
    const wrong: string[] = []
    for (const url of twenty) if ((await fetchPage(page(url))) !== `${url} seen from 127.10.1.1`) wrong.push(url)
    expect(wrong.length).toBeGreaterThan(0)
    expect(wrong.length).toBeLessThan(20)
  })

  test.each([[true], [false]])('loses requests (tunnel: %s)', async (tunnel) => {
    firstRun({ sabotage: 'lose-requests' })
    const fetchPage = await through(tunnel)
    const answers: string[] = []
    for (const url of twenty) answers.push(await fetchPage(page(url)))
    expect(answers).toContain('')
    expect(answers.some((answer) => answer !== '')).toBe(true)
  })
})

describe('the command', () => {
  const fails = async (agent: AgentProcess, ...says: string[]): Promise<void> => {
    expect(await agent.exited).toBe(1)
    for (const text of says) expect(agent.errors).toContain(text)
    expect(agent.errors).not.toMatch(/\n\s+at /)
  }

  test('without a key or a token says what is needed', async () => {
    await fails(run(), 'seoul-01 has no key', '--token', 'MOBILEPOOL_TOKEN')
  })

  test('with a token that the hub does not take says so', async () => {
    await fails(run({}, '--token', 'spent'), 'not known or spent', 'create a new one')
  })

  test('on a folder that another agent uses says which', async () => {
    await firstRun().logged('ready')
    await fails(run(), 'Another agent (process', stateDir())
  })

  test('on the folder of another device says which', async () => {
    await firstRun().logged('ready')
    await processes[0]?.kill('SIGTERM')
    await fails(run({}, '--name', 'busan-03'), 'belongs to the device seoul-01')
  })

  test('with wrong options names all of them', async () => {
    await fails(start(['run', '--hub', 'x', '--name', 'a b']), '--hub', '--name', '--driver')
    await fails(run({ poolSize: 0 }), 'driverOptions.poolSize')
  })

  test('on a port in use says so', async () => {
    const { port } = site.address() as AddressInfo
    await fails(firstRun({}, '--listen', `127.0.0.1:${port}`), `port ${port}`)
  })

  test('beyond loopback asks where parsers reach it', async () => {
    await fails(firstRun({}, '--listen', '0.0.0.0:0'), '--advertise')
  })

  test('takes hub and token from the environment', async () => {
    const args = ['run', '--name', 'seoul-01', '--state-dir', stateDir(), '--driver', 'simulated']
    await start(args, { MOBILEPOOL_HUB_URL: hub.url, MOBILEPOOL_TOKEN: 'token-1' }).logged('ready')
  })

  test('enroll enrols, and run needs no token afterwards', async () => {
    const common = ['--hub', hub.url, '--name', 'seoul-01', '--state-dir', stateDir(), '--driver', 'simulated']
    const enrol = start(['enroll', ...common, '--token', 'token-1'], { HOME: path })
    expect(await enrol.exited).toBe(0)
    await enrol.logged('is enrolled').catch(() => expect(enrol.output).toContain('is enrolled'))
    await run().logged('ready')
  })

  test('has help and a version', async () => {
    const help = start(['--help'])
    expect(await help.exited).toBe(0)
    expect(help.output).toContain('enroll')
    const version = start(['--version'])
    await version.exited
    expect(version.output).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test('whose device the hub no longer knows says what to do, and serves on', async () => {
    const agent = firstRun()
    await proxyUrl()
    hub.interfere = (_, requestPath) => (requestPath.startsWith('/api/v1/agents/') ? 410 : null)
    await agent.kill('SIGTERM')
    hub.heartbeats.length = 0
    const next = run()
    const line = await next.logged('does not know this device')
    expect(line.msg).toMatch(/delete .*device\.json.*create a new token/)
    hub.interfere = () => null
    expect(await (await through())(page())).toContain('127.10.1.1')
  })
})
