import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { builtSdk } from './matrix/built.ts'
import { localhostCertificate } from './servers/certificate.ts'
import { listen } from './servers/listen.ts'
import { Stage } from './stage.ts'

vi.setConfig({ testTimeout: 60_000 })

const stage = new Stage()
const bin = join(builtSdk(), 'bin/mobilepool.js')
const folder = mkdtempSync(join(tmpdir(), 'mobilepool-cli-'))
const certificate = join(folder, 'certificate.pem')
writeFileSync(certificate, localhostCertificate.cert)
const children = new Set<ChildProcess>()

afterEach(async () => {
  const running = [...children].filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
  await Promise.all(running.map((child) => [once(child, 'exit'), child.kill('SIGKILL')][0]))
  children.clear()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const { MOBILEPOOL_HUB_URL: _url, MOBILEPOOL_TOKEN: _token, ...own } = process.env
  const child = spawn(process.execPath, [bin, ...args], { env: { ...own, NODE_OPTIONS: '', NODE_EXTRA_CA_CERTS: certificate, ...env } })
  children.add(child)
  return child
}

/** Runs `mobilepool` to its end. */
async function mobilepool(args: readonly string[], { env = {}, input }: { env?: Record<string, string>; input?: string } = {}) {
  const child = start(args, env)
  let [stdout, stderr] = ['', '']
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  child.stdin?.end(input)
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, stdout, stderr }
}

/** Starts `mobilepool echo` and returns its URL. */
async function startEcho(): Promise<string> {
  const child = start(['echo'])
  const [line] = (await once(child.stdout ?? process.stdin, 'data')) as [Buffer]
  return line.toString().trim()
}

interface Checked {
  ok: boolean
  direct_ip: string | null
  proxies: {
    ok: boolean
    exit_ip: string | null
    credentials: string
    connect: { kind: string }
    absolute_form: { kind: string }
    latency: { connect_ms: number; tunnel_ms: number; first_byte_ms: number }
    problems: { code: string }[]
    hints: { code: string }[]
  }[]
}

async function check(args: readonly string[]) {
  const { status, stdout, stderr } = await mobilepool(['check', '--json', '--timeout', '2000', ...args])
  expect(stderr).toBe('')
  const report = JSON.parse(stdout) as Checked
  const [first] = report.proxies
  if (first === undefined) throw new Error('no proxy in the report')
  return { status, report, first, problems: first.problems.map(({ code }) => code), hints: first.hints.map(({ code }) => code) }
}

describe('mobilepool check', () => {
  test('finds a good device good: exit IP, both forms, latency, no headers; by `mobilepool echo`', async () => {
    const echo = await startEcho()
    const seoul = await stage.device('seoul-01', { auth: 'user:p@ss' })
    const { status, report, first } = await check([seoul.url, '--echo', echo])
    expect(first).toMatchObject({
      ok: true,
      exit_ip: '127.10.1.1',
      credentials: 'accepted',
      connect: { kind: 'works' },
      absolute_form: { kind: 'works' },
      is_open_to_anyone: false,
      added_headers: [],
      problems: [],
      hints: [],
      latency: { connect_ms: expect.any(Number), tunnel_ms: expect.any(Number), first_byte_ms: expect.any(Number) },
    })
    expect([status, report.ok, report.direct_ip]).toEqual([0, true, '127.0.0.1'])
  })

  test('shows people a table in which no password is, of arguments, a file and standard input', async () => {
    const echo = await startEcho()
    const seoul = await stage.device('seoul-01', { auth: 'user:secret-1' })
    const busan = await stage.device('busan-03', { auth: 'user:secret-2' })
    // A port that was listened on may be another test's a moment later; here nobody ever listens.
    const dead = 'http://user:secret-3@127.99.0.9:9'
    const table = await mobilepool(['check', seoul.url, '--from', '-', '--echo', echo], {
      input: `# mine\n\n${busan.url}\r\n${dead}\n`,
    })
    const file = join(folder, 'proxies.txt')
    writeFileSync(file, `${seoul.url}\n${busan.url}\n`)
    const fromFile = await mobilepool(['check', '--from', file, '--echo', echo])
    expect([table.status, fromFile.status]).toEqual([1, 0])
    const lines = table.stdout.split('\n')
    expect(lines[1]).toMatch(
      new RegExp(`^http://user:\\*\\*\\*@${seoul.authority} +ok +127\\.10\\.1\\.1 +\\d+ ms +\\d+ ms +yes +yes +none$`),
    )
    expect(lines[2]).toMatch(/ok +127\.10\.3\.1 /)
    expect(lines[3]).toMatch(/FAILS/)
    expect(lines[4]).toBe('    problem: cannot be reached (ECONNREFUSED)')
    expect(JSON.stringify([table, fromFile])).not.toMatch(/secret-/)
  })

  test('without an echo says whether the credentials are taken, and what it did not check', async () => {
    const seoul = await stage.device('seoul-01', { auth: 'user:right' })
    const wrong = `http://user:wrong@${seoul.authority}`
    const bare = `http://${seoul.authority}`
    const kazan = await stage.device('kazan-02')
    expect(await check([seoul.url])).toMatchObject({ status: 0, first: { credentials: 'accepted', connect: { kind: 'not_checked' } } })
    expect(await check([wrong])).toMatchObject({ status: 1, problems: ['credentials_refused'] })
    expect(await check([bare])).toMatchObject({ status: 1, problems: ['credentials_missing'] })
    expect(await check([kazan.url.replace('://', '://any:body@')])).toMatchObject({ status: 0, hints: ['open_to_anyone'] })
    expect((await mobilepool(['check', seoul.url])).stdout).toContain('Not checked without --echo: exit IP')
  })

  test('tells what is wrong: hangs, drops, garbage, refused CONNECT, our own address, a closed port', async () => {
    const echo = await startEcho()
    const omsk = await stage.device('omsk-05')
    const ask = (...args: string[]) => check([omsk.url, '--echo', echo, ...args])
    omsk.fault = { kind: 'hang_connect' }
    expect(await ask('--timeout', '200')).toMatchObject({ status: 1, problems: ['no_way_through', 'no_way_through'] })
    for (const kind of ['drop', 'garbage'] as const) {
      omsk.fault = { kind }
      expect(await ask()).toMatchObject({ status: 1, problems: ['no_way_through', 'no_way_through'] })
    }
    omsk.fault = { kind: 'status', status: 403 }
    expect(await ask()).toMatchObject({ status: 1, first: { connect: { kind: 'failed', status: 403 } } })
    omsk.fault = null
    expect(await ask('--connect-to', `127.0.0.1:${new URL(echo).port}`)).toMatchObject({
      status: 0,
      first: { targets: [{ is_open: true }] },
    })
    const gone = await stage.device('busan-03')
    await gone.refuse()
    expect(await ask('--connect-to', gone.authority)).toMatchObject({ status: 1, problems: ['target_closed'] })
    omsk.egress = '127.0.0.1'
    expect(await ask()).toMatchObject({ status: 1, problems: ['exit_is_ours'] })
    expect(await ask('--no-direct')).toMatchObject({ status: 0, report: { direct_ip: null } })
  })

  test('sees the headers that a proxy adds, and those that tell who we are', async () => {
    const echo = await startEcho()
    const chatty = http.createServer((request, response) => {
      const { hostname, port, pathname } = new URL(request.url ?? '')
      const headers = { ...request.headers, via: '1.1 squid', 'x-forwarded-for': '127.0.0.1' }
      http.get({ hostname, port, path: pathname, headers, localAddress: '127.10.9.9', agent: false }, (answer) =>
        answer.pipe(response.writeHead(200)),
      )
    })
    const listening = await listen(chatty)
    try {
      const { status, problems, hints } = await check([`http://127.0.0.1:${listening.port}`, '--echo', echo])
      expect({ status, problems: new Set(problems), hints }).toEqual({
        status: 1,
        problems: new Set(['adds_headers', 'reveals_us']),
        hints: ['connect_refused'],
      })
    } finally {
      await listening.close()
    }
  })

  test('goes through https proxies to https echoes and to plain-text ones', async () => {
    const moscow = await stage.device('moscow-07', { tls: true, auth: 'a:b' })
    const origin = await stage.origin({ tls: true })
    expect(await check([moscow.url, '--echo', `${origin.url}/`])).toMatchObject({ status: 0, first: { exit_ip: '127.10.7.1' } })
    const plain = await listen(http.createServer((request, response) => response.end(`${request.socket.remoteAddress}\n`)))
    try {
      const { status, first, hints } = await check([moscow.url, '--echo', `http://localhost:${plain.port}/ip`])
      expect({ status, hints, first }).toMatchObject({
        status: 0,
        hints: ['headers_unknown'],
        first: { exit_ip: '127.10.7.1', resolves_names: true },
      })
    } finally {
      await plain.close()
    }
  })

  test('goes through SOCKS5 proxies, which resolve names themselves', async () => {
    const echo = await startEcho()
    const busan = await stage.socksDevice('busan-03', { auth: 'user:right', hosts: { 'echo.example': '127.0.0.1' } })
    const named = `http://echo.example:${new URL(echo).port}/`
    const { status, first, hints } = await check([busan.url, '--echo', named, '--no-direct'])
    expect({ status, hints, first }).toMatchObject({
      status: 0,
      hints: [],
      first: { exit_ip: '127.10.3.1', resolves_names: true, credentials: 'accepted', absolute_form: { kind: 'not_checked' } },
    })
    expect(await check([busan.url.replace('right', 'wrong'), '--echo', named])).toMatchObject({
      status: 1,
      problems: ['credentials_refused'],
    })
  })
})

describe('mobilepool fetch', () => {
  test('writes the body to standard output, and who carried it to standard error', async () => {
    const origin = await stage.origin({ tls: true })
    const [seoul, omsk] = [await stage.device('seoul-01', { auth: 'user:secret' }), await stage.device('omsk-05')]
    await omsk.refuse()
    const { status, stdout, stderr } = await mobilepool(['fetch', `${origin.url}/`, '--proxy', seoul.url])
    expect({ status, seen: JSON.parse(stdout) as object }).toMatchObject({
      status: 0,
      seen: { remoteAddress: '127.10.1.1', method: 'GET' },
    })
    expect(stderr).toMatch(new RegExp(`^200 OK through ${seoul.authority}, exit IP .+, 1 attempt, \\d+ ms\\n$`))

    const failed = await mobilepool(['fetch', origin.url, '--proxy', omsk.url, '--attempts', '1', '--json'])
    expect(JSON.parse(failed.stdout)).toMatchObject({
      error: { code: 'MP_DEVICE_CONNECT', attempts: [{ kind: 'device_connect', errno: 'ECONNREFUSED' }] },
    })
    expect(failed.status).toBe(1)
    expect(await mobilepool(['fetch', origin.url, '--proxy', omsk.url, '--attempts', '1'])).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/device_connect ECONNREFUSED \(connect, \d+ ms\)\nmobilepool: .+ \(MP_DEVICE_CONNECT\)\n$/),
    })
  })

  test('--session takes the same device for the same key in every run', async () => {
    const origin = await stage.origin()
    const devices = [await stage.device('seoul-01'), await stage.device('busan-03'), await stage.device('moscow-07')]
    const args = ['fetch', origin.url, ...devices.flatMap(({ url }) => ['--proxy', url]), '--session', 'account-42']
    for (let run = 0; run < 5; run++) expect(await mobilepool(args)).toMatchObject({ status: 0 })
    expect(new Set(origin.seen.map(({ remoteAddress }) => remoteAddress)).size).toBe(1)
  })

  test('through a hub with a token from the environment, only devices that the filter allows', async () => {
    const origin = await stage.origin()
    const hub = await stage.hub()
    const [seoul, busan] = [await stage.device('seoul-01'), await stage.device('busan-03')]
    hub.put('seoul-01', { proxy_url: seoul.url, exit_ip: seoul.egress, operator: 'SKT' })
    hub.put('busan-03', { proxy_url: busan.url, exit_ip: busan.egress, operator: 'KT' })
    const args = ['fetch', origin.url, '--json', '--hub', hub.url, '--filter', 'operator=KT']
    const { status, stdout } = await mobilepool(args, { env: { MOBILEPOOL_TOKEN: hub.token } })
    expect({ status, ...(JSON.parse(stdout) as object) }).toMatchObject({
      status: 200,
      device: 'busan-03',
      exit_ip: '127.10.3.1',
      attempts: 1,
      body: expect.stringContaining('127.10.3.1'),
    })
    expect(status).toBe(0)
    const refused = await mobilepool(['fetch', origin.url, '--hub', hub.url, '--token-env', 'WRONG'], { env: { WRONG: 'wrong-token' } })
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('(MP_HUB_REFUSED)') })
    expect(refused.stderr).not.toContain('wrong-token')
  })

  test('sends method, headers and body; writes head and file; a status of 400 and above ends with 1', async () => {
    const origin = await stage.origin()
    const seoul = await stage.device('seoul-01')
    const through = ['--proxy', seoul.url]
    const post = await mobilepool(['fetch', `${origin.url}/`, ...through, '-d', 'a=1', '-H', 'X-One: two', '-i'])
    const [head = '', body = ''] = post.stdout.split('\n\n')
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\n(.+\n)*content-type: application\/json/)
    expect(head).not.toContain('x-mobilepool')
    expect(JSON.parse(body)).toMatchObject({ method: 'POST', body: 'a=1', headers: { 'x-one': 'two' } })

    const file = join(folder, 'page.bin')
    expect(await mobilepool(['fetch', `${origin.url}/bytes/100000`, ...through, '-o', file])).toMatchObject({ status: 0, stdout: '' })
    expect(readFileSync(file).length).toBe(100_000)
    expect(await mobilepool(['fetch', `${origin.url}/status/404`, ...through])).toMatchObject({ status: 1, stdout: 'status 404' })
  })

  test('a body that breaks off is an error, and leaves no file', async () => {
    const origin = await stage.origin()
    const seoul = await stage.device('seoul-01')
    const file = join(folder, 'cut.bin')
    const { status, stderr } = await mobilepool(['fetch', `${origin.url}/cut/1000`, '--proxy', seoul.url, '-o', file])
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('(MP_RESPONSE_BROKEN)') })
    expect(readdirSync(folder).filter((name) => name.startsWith('cut'))).toEqual([])
    expect(await mobilepool(['fetch', `${origin.url}/hang`, '--proxy', seoul.url, '--timeout', '300', '--json'])).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('"TIMEOUT"'),
    })
  })
})

describe('the command line', () => {
  test.each<[string, string[], RegExp]>([
    ['no command', [], /Usage: mobilepool/],
    ['an unknown command', ['chekc'], /unknown command 'chekc'/],
    ['an unknown flag', ['check', '--ecco', 'x'], /unknown option '--ecco'/],
    ['no proxy', ['check'], /no proxy is given/],
    ['a URL that is no proxy', ['check', 'ftp://user:secret@host'], /proxy 1: must be a proxy URL/],
    ['a list that is not there', ['check', '--from', '/nowhere/list'], /--from \/nowhere\/list cannot be read \(ENOENT\)/],
    ['a time that is none', ['check', 'http://a:1', '--timeout', '1s'], /'--timeout <ms>' argument '1s' is invalid.* whole number from 1/],
    ['an echo that is no URL', ['check', 'http://a:1', '--echo', 'me'], /'--echo <url>' argument 'me' is invalid/],
    ['a target without a port', ['check', 'http://a:1', '--connect-to', 'a.example'], /--connect-to a\.example: it must be host:port/],
    ['no pool', ['fetch', 'http://a.example'], /Give --hub URL, or --proxy URL/],
    ['two pools', ['fetch', 'http://a.example', '--hub', 'http://h', '--proxy', 'http://p'], /exclude each other/],
    ['a wrong device', ['fetch', 'http://a.example', '--proxy', 'user:secret@host'], /devices\[0\]\.url: must be/],
    ['a wrong filter', ['fetch', 'http://a.example', '--proxy', 'http://p', '--filter', 'city=X'], /--filter city=X: it must be operator=/],
    ['a header without a name', ['fetch', 'http://a.example', '--proxy', 'http://p', '-H', 'x'], /must be "Name: value"/],
    ['a body of a GET', ['fetch', 'http://a.example', '--proxy', 'http://p', '-X', 'get', '-d', 'x'], /a GET request has no body/],
  ])('%s: says so, ends with 2', async (_name, args, message) => {
    const { status, stdout, stderr } = await mobilepool(args)
    expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: '', stderr: expect.stringMatching(message) })
    expect(stderr).not.toContain('secret')
  })

  test('help and version are no errors', async () => {
    const manifest = JSON.parse(readFileSync(join(builtSdk(), 'package.json'), 'utf8')) as { version: string }
    expect(await mobilepool(['--version'])).toEqual({ status: 0, stdout: `${manifest.version}\n`, stderr: '' })
    for (const command of ['check', 'fetch', 'echo'])
      expect(await mobilepool([command, '--help'])).toMatchObject({
        status: 0,
        stderr: '',
        stdout: expect.stringContaining(`Usage: mobilepool ${command}`),
      })
  })
})
