import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { AgentProcess, eventually } from './agent-process.ts'
import { ContractHub } from './contract-hub.ts'

// Each test starts processes, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 90_000 })

let hub: ContractHub
let home: string
let processes: AgentProcess[]

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'mp-life-'))
  processes = []
  hub = new ContractHub()
  await hub.start()
})

afterEach(async () => {
  await Promise.all(processes.filter((process) => process.isRunning).map((process) => process.kill('SIGKILL')))
  await hub.stop()
  await rm(home, { recursive: true, force: true })
  expect(hub.violations).toEqual([])
})

const start = (...args: string[]): AgentProcess => {
  const process = new AgentProcess(args, { HOME: home })
  processes.push(process)
  return process
}

/** Runs a command to its end. */
const says = async (...args: string[]): Promise<{ code: number | string; text: string }> => {
  const process = start(...args)
  const code = await process.exited
  return { code, text: process.output + process.errors }
}

const configFile = () => join(home, '.mobilepool', 'agent.json')
const knobs = (first: string) => JSON.stringify({ firstAddress: first, changeAfterHoldMs: 50, holdsMs: [60], attachDelayMs: 20 })
const enroll = () =>
  says(
    'enroll',
    '--hub',
    hub.url,
    '--token',
    'token-1',
    '--name',
    'seoul-01',
    '--driver',
    'simulated',
    '--driver-options',
    knobs('127.10.21.1'),
  )

test('enrolled once, a device needs no flags any more: it runs, says how it does, rotates and is measured', async () => {
  expect((await enroll()).code).toBe(0)
  const written = await readFile(configFile(), 'utf8')
  expect(JSON.parse(written)).toEqual({
    hub: hub.url,
    devices: [{ name: 'seoul-01', driver: 'simulated', driverOptions: JSON.parse(knobs('127.10.21.1')) }],
  })
  expect((await stat(configFile())).mode & 0o777).toBe(0o600)
  expect((await stat(join(home, '.mobilepool', 'seoul-01', 'device.json'))).mode & 0o777).toBe(0o600)

  expect((await enroll()).code).toBe(0)
  expect(await readFile(configFile(), 'utf8')).toBe(written)
  expect(hub.enrolments).toEqual(['seoul-01'])

  const stopped = await says('status')
  expect(stopped).toMatchObject({ code: 1, text: expect.stringContaining('start it with mobilepool-agent run') })

  const agent = start('run', '--no-tunnel', '--metrics', '127.0.0.1:0')
  await agent.logged('ready')
  const { url } = await agent.logged('metrics')
  await eventually(() => hub.heartbeats.length > 0, 'a heartbeat')
  const status = await eventually(async () => {
    const { code, text } = await says('status', '--json')
    return code === 0 ? JSON.parse(text) : null
  }, 'all is well')
  expect(status).toMatchObject({
    name: 'seoul-01',
    driver: 'simulated',
    heartbeat: { exit_ip: '127.10.21.1', failure: null },
    last_rotation: null,
  })

  const rotated = await says('rotate')
  expect(rotated).toMatchObject({
    code: 0,
    text: expect.stringMatching(/^seoul-01: changed: 127\.10\.21\.1 -> 127\.10\.21\.2 by airplane_mode in /),
  })
  expect(await says('status')).toMatchObject({ code: 0, text: expect.stringContaining('1 changed, 0 unchanged, 0 failed') })
  const metrics = await (await fetch(String(url))).text()
  expect(metrics).toContain('mobilepool_agent_rotations_total{device="seoul-01",outcome="changed"} 1')
  expect(metrics).not.toContain(hub.key)

  expect(await agent.kill('SIGTERM')).toBe(0)
  const directly = await says('rotate', '--json')
  expect(directly.code).toBe(0)
  expect(JSON.parse(directly.text)).toMatchObject({ by: 'here', state: 'changed', old_ip: '127.10.21.2', new_ip: '127.10.21.3' })
})

test('of several devices in one process, one that cannot run leaves the others alone', async () => {
  const file = join(home, 'farm.json')
  const device = (name: string, first: string, more = {}) => ({
    name,
    driver: 'simulated',
    driverOptions: JSON.parse(knobs(first)),
    ...more,
  })
  const devices = [
    device('seoul-01', '127.10.22.1', { token: 'token-1' }),
    device('busan-03', '127.10.22.101', { token: 'token-2' }),
    { name: 'kazan-02', driver: 'hilink', driverOptions: { sourceAddress: '127.0.0.1', url: 'nonsense' }, token: 'token-3' },
    device('omsk-05', '127.10.22.201', { token: 'spent' }),
  ]
  await writeFile(file, JSON.stringify({ hub: hub.url, stateDir: join(home, 'farm'), tunnel: false, metrics: '127.0.0.1:0', devices }))
  for (const token of ['token-2', 'token-3']) hub.tokens.add(token)

  const farm = start('run', '--config', file)
  const { url } = await farm.logged('metrics')
  const failed = (name: string) => farm.lines.find((line) => line.device === name && line.msg.includes('cannot run now'))
  await eventually(() => failed('kazan-02') && failed('omsk-05'), 'two devices have failed')
  expect(failed('kazan-02')?.reason).toContain('driverOptions.url')
  expect(failed('omsk-05')?.reason).toContain('token')
  await eventually(() => new Set(hub.heartbeats.map(({ from }) => from)).size === 2, 'the other two beat')

  const up = (await (await fetch(String(url))).text()).split('\n').filter((line) => line.startsWith('mobilepool_agent_up'))
  expect(up.map((line) => line.replace(/.*device="(.*)"} /, '$1 ')).sort()).toEqual(['busan-03 1', 'kazan-02 0', 'omsk-05 0', 'seoul-01 1'])
  expect((await says('rotate', '--config', file)).text).toContain('say which with --name')
  const [one, other] = await Promise.all([
    says('rotate', '--config', file, '--name', 'seoul-01'),
    says('rotate', '--config', file, '--name', 'busan-03'),
  ])
  expect([one.code, other.code]).toEqual([0, 0])
  expect(await farm.kill('SIGTERM')).toBe(0)
})

test('what rotations teach is shown, and a calibration is told beforehand what it costs', async () => {
  await enroll()
  expect((await says('holds')).text).toContain('no rotation has taught anything yet')
  const agent = start('run', '--no-tunnel')
  await agent.logged('ready')
  const asked = ['calibrate', '--holds', '0.1', '--rounds', '2', '--pause', '0']
  expect(await says(...asked)).toMatchObject({ code: 1, text: expect.stringMatching(/seoul-01: 2 rotations in about 1 min.*--yes/s) })
  expect(agent.output).not.toContain('down')
  const { code, text } = await says(...asked, '--yes')
  expect(code, text).toBe(0)
  expect(text).toMatch(/SimTel +airplane_mode +0\.1 s +2\/2 +100 %/)
  expect(await agent.kill('SIGTERM')).toBe(0)
  const { holds } = JSON.parse((await says('holds', '--json')).text)
  expect(holds).toMatchObject([{ carrier: 'SimTel', driver: 'simulated', hold_ms: 100, tries: 2, changed: 2, verdict: 'unknown' }])
})

test('it is started with the machine once it is installed, twice is once, and uninstalled it is gone', async () => {
  expect(await says('install', '--file', join(home, 'x'))).toMatchObject({
    code: 1,
    text: expect.stringContaining('enroll the device first'),
  })
  await enroll()
  const file = join(home, 'unit')
  const printed = await says('install', '--print', '--kind', 'systemd', '--user', 'pi', '--file', file)
  expect(printed.code).toBe(0)
  expect(printed.text).toMatch(/^ExecStart="\/.*node.*" "\/.*main\.js" "run" "--config" ".*agent\.json"$/m)
  expect(printed.text).toContain('User=pi\n')
  await expect(stat(file)).rejects.toThrow('ENOENT')

  for (const text of ['is written', 'is there already'])
    expect(await says('install', '--kind', 'termux', '--file', file)).toMatchObject({ code: 0, text: expect.stringContaining(text) })
  const script = await readFile(file, 'utf8')
  expect((await stat(file)).mode & 0o777).toBe(0o700)
  // What it starts runs: it is the command of the script, up to where its output goes.
  const command = /^ {2}('.*) > '/m.exec(script)?.[1] ?? ''
  const started = spawn('/bin/sh', ['-c', `exec ${command} --no-tunnel`], { env: { PATH: process.env.PATH, HOME: home } })
  const ended = new Promise((resolve) => started.once('close', resolve))
  await eventually(() => hub.heartbeats.length > 0, 'the installed agent beats')
  started.kill('SIGTERM')
  await ended
  for (const text of ['is removed', 'was not there']) expect((await says('uninstall', '--file', file)).text).toContain(text)
})

test('a rotation at a time: who comes second is told so', async () => {
  await enroll()
  const slow = JSON.stringify({ firstAddress: '127.10.21.1', changeAfterHoldMs: 50, holdsMs: [3_000], attachDelayMs: 20 })
  const agent = start('run', '--no-tunnel', '--driver-options', slow)
  await agent.logged('ready')
  const first = says('rotate')
  await eventually(async () => JSON.parse((await says('status', '--json')).text).is_rotating, 'the first rotates')
  expect(await says('rotate')).toMatchObject({ code: 1, text: expect.stringContaining('is rotating already') })
  expect((await first).code).toBe(0)
})
