import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { builtSdk } from './matrix/built.ts'
import { startRedis, whyNoRedis } from './redis/redis-server.ts'
import { listen } from './servers/listen.ts'
import { Stage } from './stage.ts'

const stage = new Stage()
const CHROMIUM = '/usr/bin/chromium'
const hasChromium = existsSync(CHROMIUM)
const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Runs an example as its users do; returns the lines that it wrote. */
async function run(name: string, env: Record<string, string>, ...urls: string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [`examples/${name}.mjs`, ...urls], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  })
  return stdout.trim().split('\n')
}

const exitsIn = (lines: string[]): (string | undefined)[] => lines.map((line) => /"remoteAddress":"([^"]+)"/.exec(line)?.[1])

/** Two devices and a site that tells who asked. */
async function scene() {
  const [seoul, busan] = [await stage.device('seoul-01', { auth: 'us:er' }), await stage.device('busan-03')]
  const origin = await stage.origin()
  return {
    seoul,
    busan,
    origin,
    urls: [`${origin.url}/one`, `${origin.url}/two`],
    env: { MOBILEPOOL_DEVICES: `${seoul.url},${busan.url}` },
  }
}

beforeAll(() => void builtSdk())

test.each(['undici', 'global', 'axios-fetch'])('examples/%s.mjs fetches each page through a device', async (name) => {
  const { seoul, busan, urls, env } = await scene()
  const lines = await run(name, env, ...urls)
  expect(
    lines.every(
      (line) =>
        line.startsWith(`200 ${encodeURIComponent(seoul.authority)}`) || line.startsWith(`200 ${encodeURIComponent(busan.authority)}`),
    ),
  ).toBe(true)
  expect(new Set(exitsIn(lines))).toEqual(new Set([seoul.egress, busan.egress]))
})

test('examples/local-proxy.mjs lets curl fetch each page through a device', async () => {
  const { seoul, busan, urls, env } = await scene()
  expect(new Set(exitsIn(await run('local-proxy', env, ...urls)))).toEqual(new Set([seoul.egress, busan.egress]))
})

test('examples/crawlee.mjs crawls each page through a device, and has the pool keep off an exit IP that is blocked', {
  timeout: 60_000,
}, async () => {
  const { seoul, busan, env } = await scene()
  const origin = await stage.origin({ tls: true })
  origin.ban(busan.egress)
  const urls = Array.from({ length: 6 }, (_, index) => `${origin.url}/${index}`)
  const pages = (await run('crawlee', env, ...urls)).filter((line) => line.startsWith('page: '))
  expect(new Set(pages.map((line) => line.split(' ')[1]))).toEqual(new Set(urls))
  expect(pages).toHaveLength(urls.length)
  expect(new Set(exitsIn(pages))).toEqual(new Set([seoul.egress]))
})

describe.skipIf(!hasChromium && !process.env.CI)('with Chromium', () => {
  test.each(['playwright', 'puppeteer'])('examples/%s.mjs opens each page through a device', { timeout: 120_000 }, async (name) => {
    const { seoul, busan, urls, env } = await scene()
    const lines = await run(name, { ...env, CHROMIUM, CHROMIUM_FLAGS: '--no-sandbox --disable-gpu' }, ...urls)
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['200', '200'])
    expect(exitsIn(lines)).toEqual([seoul.egress, busan.egress])
  })
})

test('examples/sessions.mjs keeps each account on one exit IP', async () => {
  const { urls, env, seoul, busan } = await scene()
  const lines = await run('sessions', env, ...urls)
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['account-1', 'account-1', 'account-2', 'account-2'])
  const [one, two, three, four] = exitsIn(lines)
  expect([seoul.egress, busan.egress]).toContain(one)
  expect([two, four]).toEqual([one, three])
})

test('examples/views.mjs logs in through one device and crawls through the others', async () => {
  const { urls, env, seoul, busan } = await scene()
  const lines = await run('views', env, ...urls)
  expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
    'login login',
    'crawl crawl-0',
    'login login',
    'crawl crawl-0',
  ])
  expect(exitsIn(lines)).toEqual([seoul.egress, busan.egress, seoul.egress, busan.egress])
})

test('examples/map.mjs prints every page in the order of its URLs, and which failed', async () => {
  const { origin, urls, env, seoul, busan } = await scene()
  const lines = await run('map', env, ...urls, `${origin.url}/status/404`)
  expect(lines.map((line) => line.split(' ')[0])).toEqual([...urls, `${origin.url}/status/404`])
  expect(new Set(exitsIn(lines.slice(0, 2)))).toEqual(new Set([seoul.egress, busan.egress]))
  expect(lines[2]).toMatch(/ failed: .*: 404$/)
})

test('examples/events.mjs tells of requests, a retry and a ban, and counts them', async () => {
  const { origin, env, seoul, urls } = await scene()
  origin.ban(seoul.egress)
  const lines = await run('events', env, ...urls, ...urls)
  const device = seoul.authority
  expect(lines.filter((line) => /^request: GET 127\.0\.0\.1 answered, [12] attempts$/.test(line))).toHaveLength(4)
  expect(lines).toContain(`retry: 127.0.0.1: ${device} gave banned`)
  expect(lines.find((line) => line.startsWith(`ban: 127.0.0.1: ${device} by status 403 until 20`))).toBeDefined()
  expect(lines.find((line) => /^stats: 4 of 4 answered, [1-4] retried, 2 devices ready$/.test(line))).toBeDefined()
  expect(lines.filter((line) => line.startsWith('device: '))).toHaveLength(2)
})

test('examples/rotate.mjs says whether the exit IP really changed', async () => {
  const busan = await stage.device('busan-03')
  let isStuck: boolean = false
  const box = http.createServer((_request, response) => {
    if (!isStuck) busan.egress = '127.10.3.2'
    response.end('{"success":true}')
  })
  const echo = http.createServer((request, response) => response.end(JSON.stringify({ ip: request.socket.remoteAddress })))
  const [boxed, echoed] = [await listen(box), await listen(echo)]
  const env = {
    MOBILEPOOL_DEVICE: busan.url,
    ROTATE_URL: `http://127.0.0.1:${boxed.port}/rotate`,
    EXIT_IP_URL: `http://127.0.0.1:${echoed.port}/`,
    VERIFY_MS: '0',
  }
  const [changed] = await run('rotate', env)
  isStuck = true
  const [unchanged] = await run('rotate', env)
  await Promise.all([boxed.close(), echoed.close()])
  expect(changed).toMatch(/^changed: 127\.10\.3\.1 -> 127\.10\.3\.2 in \d+ ms$/)
  expect(unchanged).toBe('unchanged: still 127.10.3.2')
})

test('examples/websocket.mjs gets its message back through a device', async () => {
  const { origin, env } = await scene()
  expect(await run('websocket', env, origin.url.replace('http:', 'ws:'))).toEqual(['hello'])
  // Never directly: without devices it says so.
  await expect(run('websocket', { MOBILEPOOL_DEVICES: 'http://127.99.0.9:9' }, origin.url.replace('http:', 'ws:'))).rejects.toThrow()
})

test('examples/streams.mjs takes a long body as it comes, and sends one', async () => {
  const { origin, env } = await scene()
  const lines = await run('streams', env, `${origin.url}/bytes/3000000`)
  const sha256 = createHash('sha256').update(Buffer.alloc(3_000_000, 'x')).digest('hex')
  expect(lines).toEqual(['status 200', `sha256 ${sha256}`, 'answered with 3000000 bytes'])
  expect(origin.seen.map(({ method, body }) => [method, body])).toEqual([
    ['GET', ''],
    ['POST', 'a long upload'],
  ])
})

test('examples/interceptors.mjs follows a redirect and repeats what the pool does not', async () => {
  const { origin, env } = await scene()
  let asked = 0
  const early = await listen(http.createServer((_request, response) => response.writeHead(asked++ === 0 ? 425 : 200).end('now')))
  const lines = await run('interceptors', env, `${origin.url}/redirect`, `http://127.0.0.1:${early.port}/`)
  await early.close()
  expect(lines[0]).toMatch(/^200 .*"url":"\/"/)
  expect([lines[1], asked]).toEqual(['200 now', 2])
})

test('examples/cache.mjs asks once for what may be kept', async () => {
  const { origin, env } = await scene()
  const [first, second] = await run('cache', env, `${origin.url}/fresh/60`)
  expect([first, second]).toEqual(['200 through a device', expect.stringMatching(/^200 from the cache, \d s old$/)])
  expect(origin.seen).toHaveLength(1)
})

test('examples/balancer.mjs chooses devices itself', async () => {
  const { seoul, env, urls, origin } = await scene()
  const lines = await run('balancer', env, ...urls, ...urls)
  expect(lines.every((line) => line.endsWith(' 200'))).toBe(true)
  expect(new Set(origin.seen.map(({ remoteAddress }) => remoteAddress))).toEqual(new Set([seoul.egress]))
})

test('examples/lease.mjs does its job from one exit IP, and says when it is over', async () => {
  const { urls, env, origin } = await scene()
  const lines = await run('lease', env, ...urls)
  expect(lines.map((line) => line.split(' ')[1])).toEqual(['200', '200', 'MP_LEASE_RELEASED'])
  expect(new Set(origin.seen.map(({ remoteAddress }) => remoteAddress)).size).toBe(1)
})

test('examples/proxy-server.mjs is a proxy with a password', async () => {
  const origin = await stage.origin()
  const child = spawn(process.execPath, ['examples/proxy-server.mjs'], { cwd: root, env: { ...process.env, LOCAL_ADDRESS: '127.10.9.1' } })
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const proxy = line.toString().trim()
    const curl = async (...args: string[]) => (await promisify(execFile)('curl', ['-s', ...args, origin.url])).stdout
    expect(JSON.parse(await curl('-x', proxy))).toMatchObject({ remoteAddress: '127.10.9.1' })
    expect(JSON.parse(await curl('-x', proxy.replace('http:', 'socks5h:')))).toMatchObject({ remoteAddress: '127.10.9.1' })
    expect(await curl('-x', new URL(proxy).origin, '-o', '/dev/null', '-w', '%{http_code}')).toBe('407')
  } finally {
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    await exited
  }
})

test.skipIf(whyNoRedis !== undefined && !process.env.CI)('examples/redis.mjs has one device for an account in every process', async () => {
  const redis = await startRedis()
  try {
    const { urls, env } = await scene()
    const runs = [0, 1, 2].map(() => run('redis', { ...env, MOBILEPOOL_REDIS: redis.url }, ...urls))
    const lines = (await Promise.all(runs)).flat()
    expect(lines.filter((line) => line === 'limits are shared')).toHaveLength(3)
    const answers = lines.filter((line) => line.startsWith('200 '))
    expect(answers).toHaveLength(6)
    expect(new Set(exitsIn(answers)).size).toBe(1)
  } finally {
    await redis.close()
  }
})

test('examples/README.md has every example, and the docs show each', () => {
  const files = readdirSync(join(root, 'examples')).filter((file) => file.endsWith('.mjs'))
  const [readme, ...docs] = ['examples/README.md', 'docs/sdk.md', 'README.md'].map((file) => readFileSync(join(root, file), 'utf8'))
  expect(files.filter((file) => !readme?.includes(`(${file})`))).toEqual([])
  expect(files.filter((file) => !docs.some((text) => text.includes(`examples/${file}`)))).toEqual([])
})
