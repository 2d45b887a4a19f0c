import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort, type HubProcess, startHubProcess } from './processes.ts'

const NGINX = existsSync('/usr/sbin/nginx') ? '/usr/sbin/nginx' : 'nginx'
const tools = [
  [NGINX, '-v'],
  ['curl', '--version'],
  ['openssl', 'version'],
] as const
const missing = tools.filter(([tool, flag]) => spawnSync(tool, [flag]).status !== 0).map(([tool]) => tool)
const hasStream = existsSync('/usr/lib/nginx/modules/ngx_stream_module.so')
if (missing.length > 0 || !hasStream)
  console.log(`skipped: a hub behind nginx (not installed: ${[...missing, ...(hasStream ? [] : ['libnginx-mod-stream'])].join(', ')})`)

describe.skipIf(missing.length > 0 || !hasStream)('a hub behind nginx as deploy/nginx/nginx.conf sets it up', () => {
  let hub: HubProcess
  let folder: string
  let nginx: ReturnType<typeof spawn>
  let ports: { plain: number; api: number; gateway: number; secureGateway: number }
  const target = createServer((_request, response) => response.end('the target'))
  const formerCa = process.env.NODE_EXTRA_CA_CERTS

  const at = (file: string): string => join(folder, file)
  const api = (): string => `https://127.0.0.1:${ports.api}`
  const asAdmin = (): Record<string, string> => ({ authorization: `Bearer ${hub.adminKey}`, 'content-type': 'application/json' })

  /** A request of one's own address, over TLS that is checked. */
  async function ask(path: string, { method = 'GET', headers = {}, body = '', from = '127.0.0.1' } = {}) {
    const sent = request(api() + path, { method, headers, localAddress: from, ca: await readFile(at('fullchain.pem')), agent: false })
    sent.end(body)
    const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
    response.setEncoding('utf8')
    return response
  }

  async function textOf(response: AsyncIterable<unknown>): Promise<string> {
    let text = ''
    for await (const chunk of response) text += String(chunk)
    return text
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mobilepool-nginx-'))
    const subject = ['-subj', '/CN=hub', '-addext', 'subjectAltName=IP:127.0.0.1']
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', at('privkey.pem')]
    execFileSync('openssl', ['req', '-x509', ...key, '-days', '2', '-out', at('fullchain.pem'), ...subject], { stdio: 'pipe' })
    process.env.NODE_EXTRA_CA_CERTS = at('fullchain.pem')
    target.listen(0, '127.0.0.1')
    await once(target, 'listening')
    hub = await startHubProcess({ hasGateway: true, env: { TRUST_PROXY: '127.0.0.1' } })

    ports = { plain: await freePort(), api: await freePort(), gateway: await freePort(), secureGateway: await freePort() }
    const replacements: [from: string, to: string][] = [
      ['listen 80;', `listen 127.0.0.1:${ports.plain};`],
      ['listen 443 ssl;', `listen 127.0.0.1:${ports.api} ssl;`],
      ['listen 8080;', `listen 127.0.0.1:${ports.gateway};`],
      ['listen 8443 ssl;', `listen 127.0.0.1:${ports.secureGateway} ssl;`],
      ['hub:3001', new URL(hub.url).host],
      ['hub:8080', new URL(hub.gatewayUrl ?? '').host],
      ['/etc/nginx/tls', folder],
      ['/var/log/nginx', folder],
      // Debian's file for the module; the others there are of no concern.
      ['include /etc/nginx/modules-enabled/*.conf;', 'load_module /usr/lib/nginx/modules/ngx_stream_module.so;'],
    ]
    let config = await readFile(join(import.meta.dirname, '../deploy/nginx/nginx.conf'), 'utf8')
    for (const [from, to] of replacements) {
      expect(config, 'the test knows what it replaces').toContain(from)
      config = config.replaceAll(from, to)
    }
    await writeFile(at('nginx.conf'), config)
    const globals = `pid ${at('pid')}; error_log ${at('error.log')}; daemon off;`
    execFileSync(NGINX, ['-t', '-e', at('error.log'), '-c', at('nginx.conf'), '-g', globals], { stdio: 'pipe' })
    nginx = spawn(NGINX, ['-e', at('error.log'), '-c', at('nginx.conf'), '-g', globals], { stdio: 'ignore' })
    const opened = Date.now() + 10_000
    while (!(await fetch(`http://127.0.0.1:${ports.plain}/`, { redirect: 'manual' }).catch(() => null))) {
      if (nginx.exitCode !== null || Date.now() > opened) throw new Error(await readFile(at('error.log'), 'utf8'))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })

  afterAll(async () => {
    if (nginx?.exitCode === null) {
      nginx.kill('SIGTERM')
      await once(nginx, 'exit')
    }
    target.close()
    await hub.remove()
    await rm(folder, { recursive: true, force: true })
    if (formerCa === undefined) delete process.env.NODE_EXTRA_CA_CERTS
    else process.env.NODE_EXTRA_CA_CERTS = formerCa
  })

  test('what comes without TLS is sent to the same place with it', async () => {
    const answer = await fetch(`http://127.0.0.1:${ports.plain}/status?a=1`, { redirect: 'manual' })
    expect(answer.status).toBe(308)
    expect(answer.headers.get('location')).toBe('https://127.0.0.1/status?a=1')
  })

  test('a heartbeat counts with the address of the device, whatever the device says of itself', async () => {
    const answer = await ask('/proxy_server?name=seoul-01', { from: '127.0.0.9', headers: { 'x-forwarded-for': '203.0.113.7' } })
    expect(JSON.parse(await textOf(answer))).toMatchObject({ success: true, name: 'seoul-01', remote_ip: '127.0.0.9' })
    expect(answer.headers['strict-transport-security']).toBe('max-age=31536000')
  })

  test('events arrive while the stream is open', async () => {
    const stream = await ask('/api/v1/events', { headers: asAdmin() })
    expect(stream.headers['content-type']).toMatch('text/event-stream')
    let text = ''
    const seen = new Promise<void>((resolve, reject) => {
      stream.on('data', (chunk: string) => {
        text += chunk
        if (text.includes('busan-03')) resolve()
      })
      stream.once('end', () => reject(new Error(`the stream ended with: ${text}`)))
    })
    await textOf(await ask('/proxy_server?name=busan-03'))
    await seen
    stream.destroy()
  })

  test('the refresh cookie of a login is for TLS only', async () => {
    const user = JSON.stringify({ username: 'olga', password: 'ten letters or more' })
    const created = await ask('/api/v1/users', { method: 'POST', headers: asAdmin(), body: user })
    expect(created.statusCode, await textOf(created)).toBe(201)
    const login = await ask('/api/v1/auth/login', { method: 'POST', headers: { 'content-type': 'application/json' }, body: user })
    expect(login.statusCode, await textOf(login)).toBe(200)
    expect(login.headers['set-cookie']?.join()).toMatch(/; Secure/)
  })

  test('an agent beyond nginx serves the gateway by its tunnel: HTTP, CONNECT and SOCKS5, in the clear and over TLS', async () => {
    // Nowhere to be reached: only the tunnel is left.
    await hub.startAgent('kazan-02', 77, ['--hub', api(), '--advertise', 'none'])
    await hub.online(1)
    const key = await hub.parserKey()
    const url = `http://127.0.0.1:${(target.address() as AddressInfo).port}/`
    const proxies = [
      ['-x', `http://ivan:${key}@127.0.0.1:${ports.gateway}`],
      ['-p', '-x', `http://ivan:${key}@127.0.0.1:${ports.gateway}`],
      ['-x', `socks5h://ivan:${key}@127.0.0.1:${ports.gateway}`],
      ['-p', '--proxy-cacert', at('fullchain.pem'), '-x', `https://ivan:${key}@127.0.0.1:${ports.secureGateway}`],
    ]
    for (const proxy of proxies) {
      const curl = spawn('curl', ['-fsS', '-m', '15', '--noproxy', '', ...proxy, url], { stdio: ['ignore', 'pipe', 'pipe'] })
      const [answer, complaint] = await Promise.all([textOf(curl.stdout), textOf(curl.stderr)])
      expect(answer, `${proxy[0]} ${complaint}`).toBe('the target')
    }
    const devices = await ask('/api/v1/admin/devices?status=online', { headers: asAdmin() })
    expect(await textOf(devices)).toContain('kazan-02')
  })
})
