import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Stage } from '../stage.ts'
import { builtSdk } from './built.ts'
import { installed } from './installed.ts'
import { runNode } from './run-node.ts'
import { typesVersions, undiciVersions } from './versions.ts'

const stage = new Stage()
const root = join(import.meta.dirname, '../../../..')
const INSTALL_MS = 900_000

/** An empty folder elsewhere, into which the packed package is installed. */
let folder: string
let whyNot: string | undefined

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mobilepool-package-'))
  const pack = spawnSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: builtSdk(), encoding: 'utf8' })
  if (pack.status !== 0) throw new Error(pack.stderr)
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  const install = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', join(folder, pack.stdout.trim())], {
    cwd: folder,
    encoding: 'utf8',
  })
  if (install.status === 0) return
  whyNot = `cannot install the packed package: ${install.stderr.trim().split('\n').at(0)}`
  if (process.env.CI) throw new Error(whyNot)
  console.warn(`skipped: ${whyNot}`)
}, INSTALL_MS)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const usage = async () => {
  const origin = await stage.origin()
  const seoul = await stage.device('seoul-01')
  const use = `const pool = new MobilePool({ devices: [${JSON.stringify(seoul.url)}] })
    const response = await fetch(${JSON.stringify(origin.url)}, { dispatcher: pool })
    console.log((await response.json()).remoteAddress)
    await pool.close()`
  return { use, expected: { status: 0, stdout: `${seoul.egress}\n` } }
}

describe('packed and installed elsewhere, the package', () => {
  test('works from plain JavaScript, ESM and CommonJS, with its subpaths', async ({ skip }) => {
    if (whyNot !== undefined) skip(whyNot)
    const { use, expected } = await usage()
    writeFileSync(join(folder, 'use.mjs'), `import { MobilePool } from '@mobilepool/sdk'\n${use}`)
    writeFileSync(join(folder, 'use.cjs'), `const { MobilePool } = require('@mobilepool/sdk')\nvoid (async () => {\n${use}\n})()`)
    for (const file of ['use.mjs', 'use.cjs']) expect(await runNode(process.execPath, [join(folder, file)], folder)).toMatchObject(expected)
    const subpaths =
      "console.log(Object.keys(await import('@mobilepool/sdk/contract')).includes('deviceList'), typeof (await import('@mobilepool/sdk/proxy-server')).createProxyServer, typeof (await import('@mobilepool/sdk/crawlee')).crawleeProxy)"
    expect(await runNode(process.execPath, ['--input-type=module', '--eval', subpaths], folder)).toMatchObject({
      status: 0,
      stdout: 'true function function\n',
    })
  })

  test('brings the command line: `npx mobilepool check` and `fetch`', async ({ skip }) => {
    if (whyNot !== undefined) skip(whyNot)
    const [origin, seoul] = [await stage.origin(), await stage.device('seoul-01', { auth: 'user:secret' })]
    const mobilepool = (...args: string[]) => runNode('npx', ['--no', 'mobilepool', ...args], folder)
    const checked = await mobilepool('check', seoul.url, '--json')
    expect({ ...(JSON.parse(checked.stdout) as object), status: checked.status }).toMatchObject({
      status: 0,
      ok: true,
      proxies: [{ ok: true, credentials: 'accepted', problems: [] }],
    })
    const fetched = await mobilepool('fetch', origin.url, '--proxy', seoul.url, '--json')
    expect(origin.seen.map(({ remoteAddress }) => remoteAddress)).toEqual([seoul.egress])
    expect(fetched.status).toBe(0)
    expect(JSON.parse(fetched.stdout)).toMatchObject({ status: 200, device: seoul.authority, attempts: 1 })
    expect(await mobilepool('fetch', origin.url)).toMatchObject({ status: 2, stderr: expect.stringContaining('--proxy') })
  })

  test('holds what it needs and nothing else', ({ skip }) => {
    if (whyNot !== undefined) skip(whyNot)
    const manifest = JSON.parse(readFileSync(join(folder, 'node_modules/@mobilepool/sdk/package.json'), 'utf8')) as {
      files: string[]
      engines: object
    }
    expect(manifest).toMatchObject({
      files: ['bin', 'dist', '!dist/cli.cjs*', '!dist/cli.d.*'],
      bin: { mobilepool: './bin/mobilepool.js' },
      engines: { node: '>=20.18.1' },
    })
    expect(readFileSync(join(folder, 'node_modules/@mobilepool/sdk/dist/index.d.ts'), 'utf8')).not.toMatch(
      /from 'undici|extends Dispatcher/,
    )
  })

  describe.each(Object.entries(typesVersions))('type-checks under @types/node %s', (major, version) => {
    test.for<readonly [string, readonly string[]]>([
      ['as a server sees it', ['es2023']],
      ['with the types of a browser too', ['es2023', 'dom', 'dom.iterable']],
    ])('%s', { timeout: INSTALL_MS }, async ([_how, lib], { skip }) => {
      const types = await installed(`types-${major}`, { '@types/node': version })
      if (whyNot !== undefined || types === undefined) return skip('not installed')
      const links = { '@types': join(types, 'node_modules/@types'), 'undici-types': join(types, 'node_modules/undici-types') }
      expect(await typeCheck(`types-${major}-${lib.length}`, typescript(lib.includes('dom')), lib, links)).toEqual(NO_COMPLAINT)
    })
  })

  test.for(Object.entries(undiciVersions))(
    'type-checks with npm undici %s',
    { timeout: INSTALL_MS },
    async ([major, version], { skip }) => {
      const undici = await installed(`undici-${major}`, { undici: version })
      const types = await installed('types-24', { '@types/node': typesVersions[24] })
      if (whyNot !== undefined || undici === undefined || types === undefined) return skip('not installed')
      const links = {
        '@types': join(types, 'node_modules/@types'),
        'undici-types': join(types, 'node_modules/undici-types'),
        undici: join(undici, 'node_modules/undici'),
      }
      expect(await typeCheck(`undici-${major}`, withUndici, ['es2023'], links)).toEqual(NO_COMPLAINT)
    },
  )
})

const NO_COMPLAINT = { status: 0, stdout: '', stderr: '' }

/** Runs the compiler over one file of a user, in a project whose `node_modules` has these links and the packed package above it. */
async function typeCheck(name: string, source: string, lib: readonly string[], links: Record<string, string>) {
  const project = join(folder, name)
  mkdirSync(join(project, 'node_modules'), { recursive: true })
  for (const [link, target] of Object.entries(links)) symlinkSync(target, join(project, 'node_modules', link))
  writeFileSync(join(project, 'use.mts'), source)
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    lib: [...lib, 'esnext.disposable'],
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.mts'] }))
  return await runNode(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], project)
}

/** What a user of npm undici writes. */
const withUndici = `
import { MobilePool } from '@mobilepool/sdk'
import { type Dispatcher, fetch, interceptors, pipeline, request, setGlobalDispatcher, stream, upgrade, WebSocket } from 'undici'
import { PassThrough } from 'node:stream'

export async function main(): Promise<void> {
  await using pool = new MobilePool({ devices: ['http://10.0.0.5:8080'] })
  const { statusCode, body } = await request('https://example.com', { dispatcher: pool.dispatcher, method: 'POST', body: 'x' })
  const response = await fetch('https://example.com', { dispatcher: pool.dispatcher })
  await stream('https://example.com', { method: 'GET', dispatcher: pool.dispatcher }, () => new PassThrough())
  pipeline('https://example.com', { method: 'PUT', dispatcher: pool.dispatcher }, ({ body: answer }) => answer).end('x')
  await upgrade('https://example.com', { dispatcher: pool.dispatcher })
  new WebSocket('wss://example.com', { dispatcher: pool.dispatcher }).close()
  const retrying: Dispatcher = pool.dispatcher.compose(interceptors.retry({ maxRetries: 2 }), interceptors.redirect({ maxRedirections: 3 }))
  const session: Dispatcher = pool.session('account-42').dispatcher
  setGlobalDispatcher(pool.dispatcher)
  console.log(statusCode, await body.text(), response.ok, retrying, session)
}
`

/**
 * What a user writes; with the types of a browser `fetch` knows no dispatcher, so there `pool.fetch` is the way. Crawlee 4 is not released:
 * what it asks of a proxy configuration is written down here as its development branch has it.
 */
const typescript = (hasDom: boolean): string => `
import { type BalancerDevice, type CustomBalancer, type Lease, type LocalProxy, MobilePool, MobilePoolError, type MobilePoolOptions, type MobilePoolSession, type PlaywrightProxy, type PoolStats, type RotationResult } from '@mobilepool/sdk'
import type { DeviceJson } from '@mobilepool/sdk/contract'
import { type CrawleeProxyInfo, crawleeProxy } from '@mobilepool/sdk/crawlee'
import { createProxyServer } from '@mobilepool/sdk/proxy-server'
import http from 'node:http'
import https from 'node:https'
import { request } from 'undici'

const fewest: CustomBalancer = { pick: ({ devices }) => devices[0] as BalancerDevice }
export const more: MobilePoolOptions = {
  devices: ['socks5://10.0.0.5:1080', { url: 'https://10.0.0.6:8443', weight: 2 }],
  balancer: fewest,
  hedge: { delayMs: 'auto', budget: 0.05 },
  cache: { type: 'private', methods: ['GET', 'HEAD'], maxBytes: 1_000_000 },
  ban: { presets: ['cloudflare'], body: /captcha/i, rules: [{ name: 'mine', status: 200, body: 'denied', hosts: ['shop.com'] }] },
  logger: console,
}
export const serve = createProxyServer
const options: MobilePoolOptions = {
  cache: true,
  usage: { flushMs: 1_000, urls: 'none' },
  hub: { url: 'http://hub:3001', token: 'x' },
  balancer: 'least-connections',
  filter: { operator: 'MTS', tags: ['farm-1'] },
  perDevice: { concurrency: 10 },
  retry: { attempts: 3, methods: 'idempotent', budget: 0.2 },
  ban: { statuses: [403, 429], quarantineMs: 600_000 },
  rotate: { everyMs: 600_000, onBan: { count: 3 } },
}
interface CrawleeFour {
  newProxyInfo(options?: { request?: { url: string; id?: string } }): Promise<{ url: string; username?: string; password: string; hostname: string; port: number | string } | undefined>
}
type CrawleeFourUrl = (options?: { request?: { url: string; id?: string } }) => string | null | Promise<string | null>
export async function main(): Promise<void> {
  await using pool: MobilePool = new MobilePool(options)
  ${hasDom ? '' : "const one: Response = await fetch('https://example.com', { dispatcher: pool })\n  console.log(one.status)"}
  const two: Response = await pool.fetch('https://example.com', { method: 'POST', body: 'x' })
  const { statusCode } = await request('https://example.com', { dispatcher: pool.dispatcher })
  const result: RotationResult = await pool.rotate('phone-07', { trigger: 'forced' })
  if (result.outcome === 'changed') console.log(result.oldIp, result.newIp, result.durationMs)
  pool.on('ban', ({ site, device, until }) => console.log(site.length, device.length, until.toFixed()))
  const stats: PoolStats = pool.stats()
  const session: MobilePoolSession = pool.session('account-42', { onIpChange: 'fail', ttlMs: 60_000 })
  ${hasDom ? '' : "await fetch('https://example.com', { dispatcher: session })\n  await fetch('https://example.com', { dispatcher: pool.with({ hedge: false, cache: false }) })"}
  const pages: string[] = await pool.map(['https://example.com'], async (url: string, { fetch: fetchItem, signal }) => (await fetchItem(url, { signal })).text())
  const settled: PromiseSettledResult<number>[] = await pool.map(new Set([1, 2]), async (item: number) => item, { concurrency: 2, stopOnError: false })
  console.log(pages.length, settled.map((one) => (one.status === 'fulfilled' ? one.value : one.reason)))
  const local: LocalProxy = await pool.listen({ port: 0, view: { filter: { operator: 'MTS' } } })
  console.log(local.url, local.port, local.password)
  await local.close()
  await use(await pool.lease({ site: 'https://example.com', onIpChange: 'follow', signal: AbortSignal.timeout(1_000) }))
  const crawl = crawleeProxy(pool, { lease: { filter: { operator: 'MTS' } }, ttlMs: 60_000 })
  const proxyUrl: string = await crawl.newUrlFunction('session_1')
  const proxyInfo: CrawleeProxyInfo = await crawl.newProxyInfo()
  console.log(proxyUrl, crawl.report(proxyInfo, { banned: true, site: 'https://example.com' }).until)
  const inCrawlee4: CrawleeFour = crawl
  const urlInCrawlee4: CrawleeFourUrl = crawl.newUrlFunction
  console.log((await inCrawlee4.newProxyInfo({ request: { url: 'https://example.com' } }))?.port, await urlInCrawlee4())
  await crawl.close()
  const three: Response = await pool.run({ filter: { operator: 'MTS' } }, () => session.fetch('https://example.com', { view: { priority: 1 } }))
  console.log(three.status, session.device?.device, session.exitIp, pool.report(three, { banned: true, reason: 'empty' }).until)
  session.end()
  using installed = pool.installGlobal()
  console.log(two.ok, statusCode, stats.ready, installed)
  try {
    await pool.fetch('https://example.com')
  } catch (error) {
    if (error instanceof MobilePoolError && error.code === 'MP_NO_DEVICE') console.log(error.attempts.map(({ kind }) => kind))
  }
  await pool.close({ timeoutMs: 1_000 })
}
async function use(given: Lease): Promise<void> {
  await using lease = given
  const { server, username }: PlaywrightProxy = lease.playwright
  const flags: readonly string[] = lease.puppeteer.args
  const page: Response = await lease.fetch('https://example.com')
  await request('https://example.com', { dispatcher: lease.dispatcher })
  http.get('http://example.com', { agent: lease.httpAgent })
  https.get('https://example.com', { agent: lease.httpsAgent })
  lease.signal.addEventListener('abort', () => console.log(server, username, flags, page.ok, lease.proxyUrl, lease.exitIp))
  if ((await lease.rotate()).outcome !== 'changed') lease.report({ banned: true, reason: 'same IP' })
}
// @ts-expect-error an option that does not exist
new MobilePool({ devices: [], ballancer: 'random' })
// @ts-expect-error a balancer that does not exist
new MobilePool({ devices: [], balancer: 'fastest' })
export type Status = DeviceJson['status']
`
