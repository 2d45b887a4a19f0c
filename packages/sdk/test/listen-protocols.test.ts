import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { curl, seenIn } from './curl.ts'
import { localhostCertificate } from './servers/certificate.ts'
import { Stage } from './stage.ts'

const stage = new Stage()
const folder = mkdtempSync(join(tmpdir(), 'mobilepool-protocols-'))
const ca = join(folder, 'ca.pem')
writeFileSync(ca, localhostCertificate.cert)
afterAll(() => rmSync(folder, { recursive: true }))

describe.each([false, true])('pool.listen() (https target: %s)', (tls) => {
  const ways = [
    ['curl by SOCKS5', (local) => ['--proxy', local.socksUrl]],
    ['curl --socks5-hostname', ({ username, password, port }) => ['--socks5-hostname', `${username}:${password}@127.0.0.1:${port}`]],
    ['curl by HTTP inside TLS', ({ url }) => ['--proxy-cacert', ca, '--proxy', url]],
  ] as const satisfies [string, (local: Awaited<ReturnType<ReturnType<Stage['pool']>['listen']>>) => string[]][]

  test.each(ways)('serves %s through the devices in turn', async (_, flags) => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01'), await stage.device('busan-03')])
    const local = await pool.listen({ tls: localhostCertificate })
    const answers = [await curl(...flags(local), `${origin.url}/a`), await curl(...flags(local), `${origin.url}/b`)]
    expect(answers.map(({ status, exit }) => [status, exit])).toEqual([
      [200, 0],
      [200, 0],
    ])
    expect(answers.map((answer) => seenIn(answer).remoteAddress)).toEqual(['127.10.1.1', '127.10.3.1'])
    expect(JSON.stringify(origin.seen)).not.toMatch(/proxy-|mobilepool/i)
  })

  test('keeps a session by a SOCKS5 user name on its device', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01'), await stage.device('busan-03')])
    const { port, password } = await pool.listen({ password: 'p' })
    const ask = () => curl('--socks5-hostname', `mobilepool-session-42:${password}@127.0.0.1:${port}`, origin.url)
    const addresses = new Set([await ask(), await ask(), await ask()].map((answer) => seenIn(answer).remoteAddress))
    expect(addresses.size).toBe(1)
  })

  test('refuses a wrong SOCKS5 password, and a name that no device resolves', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01')])
    const { port, socksUrl } = await pool.listen()
    const wrong = await curl('--socks5-hostname', `mobilepool:wrong@127.0.0.1:${port}`, origin.url)
    expect([wrong.exit, origin.seen]).toEqual([97, []])
    expect((await curl('--proxy', socksUrl, `${tls ? 'https' : 'http'}://nowhere.invalid/`)).exit).toBe(97)
  })

  test('serves wget', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01')])
    const { url } = await pool.listen()
    const env = { PATH: process.env.PATH, http_proxy: url, https_proxy: url }
    const { stdout } = await promisify(execFile)('wget', ['-q', '-O', '-', '--timeout=10', `--ca-certificate=${ca}`, origin.url], { env })
    expect(JSON.parse(stdout)).toMatchObject({ remoteAddress: '127.10.1.1' })
  })
})

test('a certificate that cannot be used is MP_OPTIONS', async () => {
  const pool = stage.pool([await stage.device('seoul-01')])
  await expect(pool.listen({ tls: { cert: 'x', key: 'y' } })).rejects.toMatchObject({
    code: 'MP_OPTIONS',
    message: expect.stringContaining('tls: cert and key must be'),
  })
})
