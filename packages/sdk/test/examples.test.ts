import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import http from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { builtSdk } from './matrix/built.ts'
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

test.each(['undici', 'global'])('examples/%s.mjs fetches each page through a device', async (name) => {
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
