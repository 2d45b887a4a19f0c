import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { curl, seenIn } from '../../../sdk/test/curl.ts'
import { localhostCertificate } from '../../../sdk/test/servers/certificate.ts'
import { type Origin, startOrigin } from '../../../sdk/test/servers/origin.ts'
import { type GatewayStage, startGatewayStage } from './gateway-stage.ts'
import { gitServer, newRepository } from './git-server.ts'

/** Programs that know nothing of MobilePool, each in a process of its own, with nothing but a proxy URL. */
const run = promisify(execFile)
const EXIT = '127.10.1.1'
let stage: GatewayStage
let http: Origin
let https: Origin
let folder: string
let ca: string
let git: { url: string; server: Server }

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mobilepool-clients-'))
  ca = join(folder, 'ca.pem')
  await writeFile(ca, localhostCertificate.cert)
  stage = await startGatewayStage()
  ;[http, https] = await Promise.all([startOrigin(), startOrigin({ tls: true })])
  await stage.device('seoul-01')
  git = await gitServer(createServer, await newRepository(join(folder, 'origin')))
})
afterAll(async () => {
  git.server.closeAllConnections()
  git.server.close()
  await stage.close()
  await Promise.all([http, https].map((origin) => origin.close()))
  await rm(folder, { recursive: true })
})

/** What a program is told by its environment. */
const environment = () => ({
  PATH: process.env.PATH,
  HOME: folder,
  HTTP_PROXY: stage.proxy('anna-session-a'),
  http_proxy: stage.proxy('anna-session-a'),
  HTTPS_PROXY: stage.proxy('anna-session-a'),
  https_proxy: stage.proxy('anna-session-a'),
  SSL_CERT_FILE: ca,
  REQUESTS_CA_BUNDLE: ca,
  NODE_EXTRA_CA_CERTS: ca,
})
const both = (): Origin[] => [http, https]
const exits = (lines: string): string[] =>
  lines
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { remoteAddress: string }).remoteAddress)

/** Debian's Python has these as packages; a machine without them skips their tests, with a line that says so. */
const python = '/usr/bin/python3'
const hasModule = async (name: string): Promise<boolean> => {
  const found = await run(python, ['-c', `import ${name}`]).then(
    () => true,
    () => false,
  )
  if (!found) console.warn(`skipped: Python has no ${name} (apt-get install python3-${name})`)
  return found
}

describe('with a proxy URL and nothing else', () => {
  test('curl: as an option, from the environment, with plain http through a tunnel', async () => {
    for (const { url } of both()) {
      expect(seenIn(await curl('-x', stage.proxy('anna'), url)).remoteAddress).toBe(EXIT)
      expect(seenIn(await curl('--proxytunnel', '-x', stage.proxy('anna'), url)).remoteAddress).toBe(EXIT)
      const { stdout } = await run('curl', ['-sS', '--cacert', ca, url], { env: environment() })
      expect(exits(stdout)).toEqual([EXIT])
    }
  })

  test.each(['socks5', 'socks5h'])('curl by %s', async (scheme) => {
    for (const { url } of both()) {
      const answer = await curl('-x', stage.proxy('anna-session-a').replace('http:', `${scheme}:`), url)
      expect(answer).toMatchObject({ exit: 0, status: 200 })
      expect(seenIn(answer).remoteAddress).toBe(EXIT)
    }
  })

  test('curl by SOCKS5 without a good key is turned away', async () => {
    const seen = http.seen.length
    const answer = await curl('-x', stage.proxy('anna', 'mp_wrong').replace('http:', 'socks5h:'), http.url)
    expect(answer).toMatchObject({ status: 0 })
    expect(answer.exit).not.toBe(0)
    expect(http.seen).toHaveLength(seen)
  })

  test('wget', async () => {
    for (const { url } of both()) {
      const { stdout } = await run('wget', ['-q', '-O', '-', '--ca-certificate', ca, '--tries=1', '--timeout=20', url], {
        env: environment(),
      })
      expect(exits(stdout)).toEqual([EXIT])
    }
  })

  test('Python urllib', async () => {
    const script = `import sys, urllib.request\nfor url in sys.argv[1:]: print(urllib.request.urlopen(url, timeout=20).read().decode())`
    const { stdout } = await run(python, ['-c', script, ...both().map(({ url }) => url)], { env: environment() })
    expect(exits(stdout)).toEqual([EXIT, EXIT])
  })

  test('Python requests, also with a session and a POST', async ({ skip }) => {
    if (!(await hasModule('requests'))) skip()
    const script = `import os, sys, requests
s = requests.Session()
for url in sys.argv[1:]:
    print(s.get(url, timeout=20).text)
    print(s.post(url, data={'n': '1'}, timeout=20).text)`
    const { stdout } = await run(python, ['-c', script, ...both().map(({ url }) => url)], { env: environment() })
    expect(exits(stdout)).toEqual([EXIT, EXIT, EXIT, EXIT])
  })

  test('Python httpx, also asynchronously', async ({ skip }) => {
    if (!(await hasModule('httpx'))) skip()
    const script = `import asyncio, ssl, sys, httpx
context = ssl.create_default_context(cafile=sys.argv[1])
async def main():
    async with httpx.AsyncClient(verify=context) as client:
        for answer in await asyncio.gather(*(client.get(url) for url in sys.argv[2:])): print(answer.text)
with httpx.Client(verify=context) as client:
    for url in sys.argv[2:]: print(client.get(url).text)
asyncio.run(main())`
    const { stdout } = await run(python, ['-c', script, ca, ...both().map(({ url }) => url)], { env: environment() })
    expect(exits(stdout)).toEqual([EXIT, EXIT, EXIT, EXIT])
  })

  test('fetch of Node 24 with NODE_USE_ENV_PROXY', async () => {
    const script = `for (const url of process.argv.slice(1)) console.log(await (await fetch(url)).text())`
    const { stdout } = await run('npx', ['node', '--input-type=module', '-e', script, ...both().map(({ url }) => url)], {
      env: { ...environment(), NODE_USE_ENV_PROXY: '1' },
      cwd: new URL('../../../..', import.meta.url),
    })
    expect(exits(stdout)).toEqual([EXIT, EXIT])
  })

  test('git clone, fetch and push', async () => {
    const clone = join(folder, 'clone')
    const env = {
      ...environment(),
      GIT_TERMINAL_PROMPT: '0',
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@b',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@b',
    }
    await run('git', ['clone', '-q', git.url, clone], { env })
    await writeFile(join(clone, 'new.txt'), 'x'.repeat(2_000_000))
    await run('git', ['-C', clone, 'add', '.'], { env })
    await run('git', ['-C', clone, 'commit', '-qm', 'second'], { env })
    await run('git', ['-C', clone, 'push', '-q', 'origin', 'HEAD:main'], { env })
    const { stdout } = await run('git', ['-C', join(folder, 'origin'), 'log', '--format=%s', 'main'], { env })
    expect(stdout.trim().split('\n')).toEqual(['second', 'first'])
  })
})
