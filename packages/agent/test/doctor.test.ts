import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { fetch } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHub, type Hub } from '../../hub/src/index.ts'
import { parseConfig } from '../src/config.ts'
import { examine } from '../src/doctor/examine.ts'
import type { Finding } from '../src/doctor/finding.ts'
import { createAgent } from '../src/index.ts'
import { eventually } from './agent-process.ts'
import { ContractHub } from './contract-hub.ts'

const adminKey = 'mp_doctor-test-admin-key-0123456789'
let folder: string
let hub: Hub
const silent = pino({ level: 'silent' })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mp-doctor-'))
  hub = await createHub({ port: 0, dataDir: join(folder, 'hub'), adminKey, logLevel: 'silent' })
  const agent = createAgent({ ...input(), token: await token() }, { log: silent })
  await agent.start()
  await agent.stop()
})

afterAll(async () => {
  await hub.close()
  await rm(folder, { recursive: true, force: true })
})

const input = (knobs: Record<string, unknown> = {}) => ({
  hub: hub.url,
  name: 'seoul-01',
  stateDir: join(folder, 'seoul-01'),
  driver: 'simulated' as const,
  driverOptions: { firstAddress: '127.10.31.1', ...knobs },
})

async function token(): Promise<string> {
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  const reply = await fetch(`${hub.url}/api/v1/agents/tokens`, { method: 'POST', headers, body: '{"name":"seoul-01"}' })
  return ((await reply.json()) as { token: string }).token
}

const look = async (change: Record<string, unknown> = {}, knobs: Record<string, unknown> = {}): Promise<Finding[]> =>
  examine(parseConfig({ ...input(knobs), ...change }))
const of = (findings: readonly Finding[], verdict: Finding['verdict']): string[] =>
  findings.filter((finding) => finding.verdict === verdict).map(({ check }) => check)
const finding = (findings: readonly Finding[], check: string): Finding | undefined => findings.find((one) => one.check === check)

describe('the doctor', () => {
  test('finds nothing wrong with a device that is well', async () => {
    const findings = await look()
    expect(findings.filter(({ verdict }) => verdict !== 'ok').map(({ check }) => check)).toEqual(['DNS'])
    expect(of(findings, 'ok')).toEqual([
      'state folder',
      'enrolment',
      'hub',
      'clock',
      'proxy port',
      'driver simulated',
      'routes',
      'interface',
      'exit IP',
      'key',
      'tunnel',
      'reboots',
    ])
    expect(finding(findings, 'exit IP')?.says).toBe('127.10.31.1 by the device, 127.0.0.1 by the host')
  })

  test('asks a running agent instead of taking its device away', async () => {
    const agent = createAgent(input(), { log: silent })
    await agent.start()
    await eventually(() => agent.status()?.heartbeat && (agent.status()?.tunnel.sessions ?? 0) > 0, 'the agent is well')
    const findings = await look()
    await agent.stop()
    expect(of(findings, 'fail')).toEqual([])
    expect(of(findings, 'ok')).toEqual(['state folder', 'enrolment', 'hub', 'clock', 'agent', 'heartbeat', 'tunnel'])
  })

  test.each<[string, Record<string, unknown>, Record<string, unknown>, string, string]>([
    ['a port where nothing listens', { hub: 'http://127.0.0.1:9' }, {}, 'hub', 'ECONNREFUSED'],
    ['traffic that leaves by the host', {}, { leak: true }, 'exit IP', 'egress leak'],
    ['a phone that does not let us in', {}, { unauthorized: true }, 'driver simulated', 'unauthorized'],
    ['a tray without a SIM', {}, { simMissing: true }, 'SIM', 'none'],
    ['a wrong option of the driver', {}, { poolSize: 0 }, 'driver simulated', 'driverOptions.poolSize'],
    ['a device that is not enrolled', { name: 'busan-03', stateDir: '/tmp/REPLACED' }, {}, 'enrolment', 'no key yet'],
    ['the folder of another device', { name: 'busan-03' }, {}, 'enrolment', 'belongs to the device seoul-01'],
  ])('finds %s', async (_, change, knobs, check, says) => {
    const findings = await look({ ...change, ...(change.stateDir ? { stateDir: join(folder, 'new') } : {}) }, knobs)
    expect(finding(findings, check)).toMatchObject({
      verdict: 'fail',
      says: expect.stringContaining(says),
      mend: expect.stringMatching(/\w/),
    })
  })

  test('finds a folder that cannot be written, and a port that is taken', async () => {
    const file = join(folder, 'file')
    await writeFile(file, '')
    expect(of(await look({ stateDir: join(file, 'state') }), 'fail')).toEqual(['state folder'])
    const { port } = new URL(hub.url)
    expect(finding(await look({ listen: `127.0.0.1:${port}` }), 'proxy port')).toMatchObject({
      verdict: 'fail',
      says: expect.stringContaining('EADDRINUSE'),
    })
  })

  test('finds an address that is no hub, a hub without tunnels whose clock is wrong, and a key that is not its', async () => {
    const site = createServer((_, response) => void response.end('hello'))
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
    const stranger = await look({ hub: `http://127.0.0.1:${(site.address() as AddressInfo).port}` })
    site.close()
    expect(finding(stranger, 'hub')).toMatchObject({ verdict: 'fail', says: expect.stringContaining('is no hub (status 200)') })

    const other = new ContractHub()
    await other.start()
    other.clockAheadMs = 3_600_000
    const findings = await look({ hub: other.url })
    await other.stop()
    expect(finding(findings, 'clock')).toMatchObject({ verdict: 'warn', says: expect.stringMatching(/3[56]\d\d s behind/) })
    expect(finding(findings, 'key')).toMatchObject({ verdict: 'fail', mend: expect.stringContaining('make a new token') })
    expect(finding(findings, 'tunnel')?.verdict).toBe('fail')
  })

  test('counts reboots', async () => {
    await writeFile(join(folder, 'seoul-01', 'reboots.json'), JSON.stringify([Date.now() - 60_000]))
    expect(finding(await look(), 'reboots')).toMatchObject({ verdict: 'warn', says: expect.stringMatching(/again in (29|30) min/) })
  })
})
