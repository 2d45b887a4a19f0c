import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { validate } from 'dockerfile-utils'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { variables } from '../packages/hub/src/config-sources.ts'
import { environmentExample } from '../scripts/env-example.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

interface Service {
  environment?: Record<string, string>
  ports?: string[]
  image?: string
}
const compose = parse(read('deploy/compose.yaml')) as { services: Record<string, Service> & { hub: Service } }

test('.env.example has every variable that hub and agent read, and no value', () => {
  const text = read('deploy/.env.example')
  expect(text, 'run: npm run env-example').toBe(environmentExample())
  const names = [...text.matchAll(/^#?([A-Z_]+)=(.*)$/gm)]
  expect(names.filter(([, , value]) => value !== '')).toEqual([])
  expect(names.map(([, name]) => name)).toEqual(expect.arrayContaining(variables.map(({ env }) => env[0])))
})

test('the agent reads no variable of ours that .env.example lacks', () => {
  const sources = execFileSync(
    'grep',
    ['-rhoE', "'?MOBILEPOOL_[A-Z_]+", '--include=*.ts', '--exclude=*.test.ts', join(root, 'packages/agent/src')],
    {
      encoding: 'utf8',
    },
  )
  const named = new Set(sources.match(/MOBILEPOOL_[A-Z_]+/g))
  const told = new Set(read('deploy/.env.example').match(/MOBILEPOOL_[A-Z_]+/g))
  expect([...named].filter((name) => !told.has(name))).toEqual([])
})

test('the linter of Dockerfiles has nothing to say', () => {
  expect(validate(read('deploy/Dockerfile'))).toEqual([])
})

test('compose.yaml is what the schema of compose files and its linter ask for', () => {
  // It prints what it finds and exits with 1.
  execFileSync(
    join(root, 'node_modules/.bin/dclint'),
    ['-c', join(root, 'deploy/.dclintrc.yaml'), '--max-warnings', '0', join(root, 'deploy/compose.yaml')],
    {
      encoding: 'utf8',
      stdio: 'pipe',
    },
  )
})

test('compose starts nothing without passwords and keys of the owner, and has none of its own', () => {
  const needed = [...read('deploy/.env.example').matchAll(/^([A-Z_]+)=$/gm)].map(([, name = '']) => name)
  expect(needed).toHaveLength(6)
  const text = read('deploy/compose.yaml')
  for (const name of needed) expect(text).toContain(`\${${name}:?`)
  const secrets = Object.values(compose.services).flatMap(({ environment = {} }) =>
    Object.entries(environment).filter(([name]) => /PASSWORD|SECRET|_KEY/.test(name)),
  )
  expect(secrets.length).toBeGreaterThan(6)
  expect(secrets.filter(([, value]) => value !== '' && !/^\$\{[A-Z_]+:\?/.test(value))).toEqual([])
})

test('only nginx is to be reached from beyond the machine, and no image floats', () => {
  for (const [name, { ports = [], image }] of Object.entries(compose.services)) {
    if (name !== 'nginx') for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
    if (image !== undefined) expect(image).toMatch(/:v?\d/)
  }
})

test('the hub of the compose file reads what it is given', () => {
  const known = new Set([...variables.flatMap(({ env }) => env), 'POSTGRES_PASSWORD', 'REDIS_PASSWORD', 'GRAFANA_ADMIN_PASSWORD'])
  const given = Object.keys(compose.services.hub.environment ?? {})
  expect(given.length).toBeGreaterThan(5)
  expect(given.filter((name) => !known.has(name))).toEqual([])
})

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
if (!hasSystemd) console.log('skipped: the unit of the hub (systemd-analyze is not installed)')
test.skipIf(!hasSystemd)('systemd takes the unit of the hub, and finds it well shut in', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mobilepool-unit-'))
  try {
    const unit = join(folder, 'mobilepool-hub.service')
    const text = read('deploy/systemd/mobilepool-hub.service')
    const program = /^ExecStart=\/usr\/bin\/env node \/opt\/mobilepool\/(.+)$/m.exec(text)?.[1] ?? ''
    expect(existsSync(join(root, program))).toBe(true)
    await writeFile(unit, text)
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' })
    expect(stderr.split('\n').filter((line) => line.includes('mobilepool-hub'))).toEqual([])
    expect(status).toBe(0)
    // Of 10, where a unit without any protection has 9.6.
    execFileSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', '--no-pager', unit], { stdio: 'pipe' })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
