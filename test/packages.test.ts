import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { installed } from '../packages/sdk/test/matrix/installed.ts'
import { runNode } from '../packages/sdk/test/matrix/run-node.ts'
import { nodeVersions } from '../packages/sdk/test/matrix/versions.ts'

const root = join(import.meta.dirname, '..')
const packages = ['sdk', 'hub', 'agent', 'dashboard-static'] as const
const INSTALL_MS = 900_000

interface Manifest {
  name: string
  version: string
  license: string
  publishConfig: object
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}
const manifest = (name: string): Manifest => JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as Manifest

/** Tarballs of the packages, as `npm publish` would send them. */
let folder: string
const tarballs = new Map<string, { path: string; files: string[] }>()

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mobilepool-packages-'))
  for (const name of packages) {
    const args = ['pack', '--json', '--silent', '--ignore-scripts', '--pack-destination', folder]
    const said: unknown = JSON.parse(execFileSync('npm', args, { cwd: join(root, 'packages', name), encoding: 'utf8' }))
    // A list up to npm 11, by name from npm 12 on.
    const [packed] = Object.values(said as Record<string, { filename: string; files: { path: string }[] }>)
    if (packed === undefined) throw new Error(`npm packed nothing of ${name}`)
    tarballs.set(name, { path: join(folder, packed.filename), files: packed.files.map(({ path }) => path) })
  }
}, INSTALL_MS)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the packages', () => {
  it.each(packages)('%s holds its build, what it is and its licence, and nothing else', (name) => {
    const files = tarballs.get(name)?.files ?? []
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']))
    const own = /^(LICENSE|README\.md|package\.json|bin\/[\w-]+\.js|dist\/.+)$/
    expect(files.filter((file) => !own.test(file))).toEqual([])
    // Neither sources nor tests, and nothing that a machine of ours left there.
    expect(files.filter((file) => /\.(ts|tsx|vue)$/.test(file) && !/\.d\.c?ts$/.test(file))).toEqual([])
    expect(files.filter((file) => /test|\.env|\.log$|node_modules/.test(file))).toEqual([])
    expect(readFileSync(join(root, 'packages', name, 'LICENSE'), 'utf8')).toBe(readFileSync(join(root, 'LICENSE'), 'utf8'))
  })

  it('are of one version, and need each other in that one', () => {
    const versions = new Set(packages.map((name) => manifest(name).version))
    expect(versions.size).toBe(1)
    const [version] = versions
    for (const name of packages) {
      const { license, publishConfig, dependencies, devDependencies } = manifest(name)
      expect({ license, publishConfig }).toEqual({ license: 'MIT', publishConfig: { access: 'public', provenance: true } })
      for (const [needed, which] of Object.entries({ ...dependencies, ...devDependencies }))
        if (needed.startsWith('@mobilepool/')) expect([name, needed, which]).toEqual([name, needed, version])
    }
    const { fixed } = JSON.parse(readFileSync(join(root, '.changeset/config.json'), 'utf8')) as { fixed: string[][] }
    expect(fixed).toEqual([['@mobilepool/*']])
  })

  it('are released by a workflow that tests first and can prove where they come from', () => {
    const { permissions, jobs } = parse(readFileSync(join(root, '.github/workflows/release.yml'), 'utf8')) as {
      permissions: Record<string, string>
      jobs: { publish: { steps: { run?: string }[] } }
    }
    expect(permissions).toEqual({ contents: 'read', 'id-token': 'write' })
    const runs = jobs.publish.steps.flatMap(({ run }) => run ?? [])
    expect(runs.findIndex((run) => run.includes('.ci/run'))).toBe(0)
    expect(runs.at(-1)).toBe('npm publish --workspaces --access public --provenance')
    for (const file of readdirSync(join(root, '.github/workflows')))
      expect(readFileSync(join(root, '.github/workflows', file), 'utf8')).not.toMatch(/registry|https?:\/\/(?!github)/)
  })

  it('CONTRIBUTING.md names only what is there', () => {
    const named = [
      ...readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8').matchAll(
        /`((?:packages|docs|bench|scripts|\.ci|\.github|CHANGELOG)[\w./-]*)`/g,
      ),
    ]
    expect(named.length).toBeGreaterThan(15)
    expect(named.map(([, path = '']) => path).filter((path) => !existsSync(join(root, path)))).toEqual([])
  })
})

describe('installed from their tarballs in an empty folder', () => {
  const nodes = new Map<string, string>()
  let app: string
  let whyNot: string | undefined

  beforeAll(async () => {
    app = mkdtempSync(join(tmpdir(), 'mobilepool-app-'))
    writeFileSync(join(app, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
    try {
      const paths = [...tarballs.values()].map(({ path }) => path)
      execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...paths], { cwd: app, stdio: 'pipe' })
    } catch (error) {
      whyNot = `cannot install the packed packages: ${String((error as { stderr?: Buffer }).stderr ?? error).split('\n')[0]}`
      if (process.env.CI) throw new Error(whyNot)
      console.warn(`skipped: ${whyNot}`)
    }
    for (const [major, version] of Object.entries(nodeVersions)) {
      if (version === process.versions.node) nodes.set(major, process.execPath)
      else if (major !== '20') {
        const there = await installed(`node-${major}`, { node: version })
        if (there !== undefined) nodes.set(major, join(there, 'node_modules/node/bin/node'))
      }
    }
  }, INSTALL_MS)
  afterAll(() => rmSync(app, { recursive: true, force: true }))

  it.each(['22', '24', '26'])(
    'on Node %s: the hub comes up and takes a heartbeat, a pool asks it, the agent says what it lacks',
    { timeout: 120_000 },
    async (major) => {
      const node = nodes.get(major)
      if (whyNot !== undefined || node === undefined) throw new Error(whyNot ?? `Node ${major} is not there`)
      const bin = (name: string, file: string): string => join(app, 'node_modules/@mobilepool', name, 'bin', file)
      const data = mkdtempSync(join(tmpdir(), 'mobilepool-data-'))
      const env = {
        PATH: process.env.PATH,
        HUB_DATA_DIR: data,
        SECRET_KEY: 'a secret key of packages.test',
        PROXY_PORT: 'off',
        MOBILEPOOL_ADMIN_KEY: 'mp_packages-test-0123456789abcdef',
      }
      const hub = spawn(node, [bin('hub', 'mobilepool-hub.js'), '--port', '0'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
      try {
        let output = ''
        hub.stderr.on('data', (chunk: Buffer) => {
          output += chunk.toString()
        })
        let url: string | undefined
        while (url === undefined) {
          if (hub.exitCode !== null) throw new Error(`the hub ended: ${output}`)
          output += String(((await once(hub.stdout, 'data')) as [Buffer])[0])
          url = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0]
        }
        expect(await (await fetch(`${url}/proxy_server?name=seoul-01`)).json()).toMatchObject({ success: true, remote_ip: '127.0.0.1' })
        expect(await (await fetch(url)).text()).toContain('<title>MobilePool</title>')
        const use = `import net from 'node:net'
        import { MobilePool } from '@mobilepool/sdk'
        import { createProxyServer } from '@mobilepool/sdk/proxy-server'
        const [url, token] = process.argv.slice(2)
        const server = createProxyServer({ connect: (target) => net.connect({ ...target, localAddress: '127.0.0.77', allowHalfOpen: true }) })
        const { port } = await server.listen(0, '127.0.0.1')
        const body = JSON.stringify({ name: 'seoul-01', proxy_url: 'http://127.0.0.1:' + port })
        await fetch(url + '/api/v1/admin/devices', { method: 'POST', headers: { authorization: 'Bearer ' + token, 'content-type': 'application/json' }, body })
        const pool = new MobilePool({ hub: { url, token } })
        const response = await fetch(url + '/api/v1/echo', { dispatcher: pool })
        console.log(response.headers.get('x-mobilepool-device'), (await response.json()).ip)
        await pool.close()
        await server.close()`
        writeFileSync(join(app, 'use.mjs'), use)
        expect(await runNode(node, [join(app, 'use.mjs'), url, env.MOBILEPOOL_ADMIN_KEY], app)).toMatchObject({
          status: 0,
          stdout: 'seoul-01 127.0.0.77\n',
        })
        const agent = await runNode(
          node,
          [
            bin('agent', 'mobilepool-agent.js'),
            'run',
            '--hub',
            url,
            '--name',
            'busan-03',
            '--driver',
            'simulated',
            '--state-dir',
            join(app, 'state'),
          ],
          app,
        )
        expect(agent.status).not.toBe(0)
        expect(agent.stderr + agent.stdout).toMatch(/busan-03 has no key/)
      } finally {
        const exited = once(hub, 'exit')
        hub.kill('SIGTERM')
        await exited
        rmSync(data, { recursive: true, force: true })
      }
    },
  )
})
