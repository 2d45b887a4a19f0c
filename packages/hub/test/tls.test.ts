import { execFileSync } from 'node:child_process'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { curl, seenIn } from '../../sdk/test/curl.ts'
import { startFaultyProxy } from '../../sdk/test/servers/faulty-proxy.ts'
import { startOrigin } from '../../sdk/test/servers/origin.ts'
import { readTls, watchTls } from '../src/api/tls.ts'
import { ADMIN_KEY, startHub } from './hub.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mobilepool-tls-'))
})
afterAll(() => rm(dir, { recursive: true }))

/** A certificate for 127.0.0.1 of this name, made by openssl. */
function certificate(name: string): { cert: string; key: string } {
  const files = { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) }
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    files.key,
    '-out',
    files.cert,
  ]
  execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' })
  return files
}

const handshake = (
  port: number,
  options: { maxVersion?: 'TLSv1.1' | 'TLSv1.2' } = {},
): Promise<{ name: string; protocol: string | null }> =>
  new Promise((resolve, reject) => {
    const ciphers = options.maxVersion === 'TLSv1.1' ? { minVersion: 'TLSv1' as const, ciphers: 'DEFAULT@SECLEVEL=0' } : {}
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options, ...ciphers }, () => {
      resolve({ name: String(socket.getPeerCertificate().subject.CN), protocol: socket.getProtocol() })
      socket.destroy()
    })
    socket.on('error', reject)
  })

describe('with TLS_CERT and TLS_KEY', () => {
  test('curl speaks TLS with the gateway too: https://user:key@hub as a proxy, for http and https pages', async () => {
    const { cert, key } = certificate('gateway')
    const hub = await startHub({ tlsCert: cert, tlsKey: key, proxyPort: 0, gatewayAllowPrivate: true })
    const device = await startFaultyProxy({ egress: '127.10.77.1' })
    const [http, https] = await Promise.all([startOrigin(), startOrigin({ tls: true })])
    const told = ['--cacert', cert, '-H', `Authorization: Bearer ${ADMIN_KEY}`, '-H', 'content-type: application/json']
    const body = JSON.stringify({ name: 'seoul-01', proxy_url: device.url })
    expect(await curl(...told, '--interface', '127.10.77.1', `${hub.url}/proxy_server?name=seoul-01`)).toMatchObject({ status: 200 })
    expect(await curl(...told, '--data', body, `${hub.url}/api/v1/admin/devices`)).toMatchObject({ status: 201 })
    const proxy = new URL((hub.gatewayUrl ?? '').replace('http:', 'https:'))
    proxy.username = 'anna'
    proxy.password = ADMIN_KEY
    for (const { url } of [http, https]) {
      const answer = await curl('--proxy-cacert', cert, '-x', proxy.href, url)
      expect(answer).toMatchObject({ exit: 0, status: 200 })
      expect(seenIn(answer).remoteAddress).toBe('127.10.77.1')
    }
    await hub.remove()
    await Promise.all([device, http, https].map((server) => server.close()))
  })

  test('the hub speaks https from TLS 1.2 on, says so to browsers, and gives Secure cookies', async () => {
    const { cert, key } = certificate('hub')
    const hub = await startHub({ tlsCert: cert, tlsKey: key, passwordCost: 10 })
    expect(hub.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    expect(await handshake(hub.port)).toEqual({ name: 'hub', protocol: 'TLSv1.3' })
    expect(await handshake(hub.port, { maxVersion: 'TLSv1.2' })).toMatchObject({ protocol: 'TLSv1.2' })
    await expect(handshake(hub.port, { maxVersion: 'TLSv1.1' })).rejects.toThrow(/version/i)
    const ask = (path: string, method = 'GET', body?: unknown) =>
      new Promise<{ status: number; headers: NodeJS.Dict<string | string[]> }>((resolve, reject) => {
        const headers = { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_KEY}` }
        const sent = request(hub.url + path, { method, headers, agent: false, rejectUnauthorized: false }, (reply) => {
          reply.resume().on('end', () => resolve({ status: reply.statusCode ?? 0, headers: reply.headers }))
        })
        sent.on('error', reject)
        sent.end(body === undefined ? undefined : JSON.stringify(body))
      })
    expect((await ask('/api/v1/users')).headers['strict-transport-security']).toBe('max-age=15552000')
    const user = { username: 'alice', password: 'alice and ten more' }
    expect((await ask('/api/v1/users', 'POST', user)).status).toBe(201)
    expect((await ask('/api/v1/auth/login', 'POST', user)).headers['set-cookie']?.[0]).toContain('Secure')
    await hub.remove()
  })

  test.each([
    [
      'a file that is not there',
      () => ({ tlsCert: '/nowhere.crt', tlsKey: certificate('a').key }),
      /TLS_CERT: \/nowhere\.crt cannot be read/,
    ],
    [
      'a key of another certificate',
      () => ({ tlsCert: certificate('b').cert, tlsKey: certificate('c').key }),
      /are no certificate and its key/,
    ],
    ['a certificate without a key', () => ({ tlsCert: certificate('d').cert }), /TLS_KEY is missing/],
  ])('%s is refused in plain words', async (_case, options, message) => {
    await expect(startHub(options())).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringMatching(message) })
  })

  test('a renewed certificate is used for new connections; half-written files are not', async () => {
    const files = certificate('old')
    const renewed = certificate('new')
    const logged: string[] = []
    const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) })
    const server = createServer(await readTls(files)).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const stop = watchTls(files, { take: (context) => server.setSecureContext(context), log, everyMs: 20 })
    const first = await handshake(port)
    expect(first.name).toBe('old')
    await vi.waitFor(async () => {
      await writeFile(files.cert, 'half a certifica')
      expect(logged.join('')).toContain('the old one stays in use')
    })
    expect((await handshake(port)).name).toBe('old')
    await rename(renewed.key, files.key)
    await rename(renewed.cert, files.cert)
    await vi.waitFor(async () => expect((await handshake(port)).name).toBe('new'), { timeout: 10_000 })
    stop()
    server.close()
  })
})

test('without TLS nothing forces browsers to https, and the API’s answers cannot be framed or run', async () => {
  const hub = await startHub()
  const { headers } = await hub.ask('/api/v1/users', { key: 'admin' })
  expect(headers['strict-transport-security']).toBeUndefined()
  expect(headers['content-security-policy']).toBe("default-src 'none';frame-ancestors 'none'")
  expect(headers['x-content-type-options']).toBe('nosniff')
  expect(headers['x-frame-options']).toBe('DENY')
  await hub.remove()
})
