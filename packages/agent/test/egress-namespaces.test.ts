import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { device, rotateReply, rotation } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AgentProcess, eventually } from './agent-process.ts'
import { CarrierNetwork, HOME, INNER, INNER6, internet, run, SITE6, whyNot } from './namespaces/carrier-network.ts'

const missing = whyNot()
if (missing !== null) console.log(`skipped: routes of a device in network namespaces, since ${missing}`)

const ADMIN_KEY = `mp_${'n'.repeat(43)}`
const HUB = `http://${internet.hub}:3001`
const OLD = '198.18.0.11'
const NEW = '198.18.0.12'
const FOREIGN_RULE = 'from 10.99.0.1 lookup 500 priority 900'

interface Visit {
  readonly kind: 'ready' | 'http' | 'dns'
  readonly from?: string
  readonly path?: string
}

describe.skipIf(missing !== null)('a device of a host that has a way out of its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mp-egress-'))
  const visits: Visit[] = []
  const leftovers: (() => unknown)[] = []
  let network: CarrierNetwork
  let agent: AgentProcess

  const start = (space: string, args: string[], env: Record<string, string> = {}): ChildProcess => {
    const child = spawn('ip', ['netns', 'exec', space, process.execPath, ...args], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    leftovers.push(() => child.kill('SIGKILL'))
    return child
  }
  const curl = async (space: string, ...args: string[]): Promise<string> =>
    (await promisify(execFile)('ip', ['netns', 'exec', space, 'curl', '-fsS', '-m', '10', ...args])).stdout
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const headers = ['-H', `authorization: Bearer ${ADMIN_KEY}`, '-H', 'content-type: application/json']
    const data = body === undefined ? [] : ['-d', JSON.stringify(body)]
    return JSON.parse(await curl(network.internet, '-X', method, ...headers, ...data, `${HUB}/api/v1${path}`))
  }
  /** By the device's proxy, from the host. */
  const through = async (url: string, ...args: string[]): Promise<string> => {
    // The hub is not told of a proxy on loopback of another machine.
    const { proxy } = await agent.logged('ready')
    const { proxyUsername, proxyPassword } = JSON.parse(readFileSync(join(folder, 'agent', 'device.json'), 'utf8'))
    return curl(network.host, '-x', `http://${proxyUsername}:${proxyPassword}@${proxy}`, ...args, url)
  }
  const startAgent = (...flags: string[]): void => {
    const started = new AgentProcess(['run', '--config', join(folder, 'agent.json'), ...flags], {}, network.host)
    leftovers.push(() => started.kill('SIGKILL'))
    agent = started
  }
  const deviceNow = async () => device.parse(await ask('GET', '/admin/devices/seoul-01'))
  const rules = (): string[] => run(`ip -n ${network.host} rule show`).trim().split('\n')

  beforeAll(async () => {
    network = new CarrierNetwork()
    leftovers.push(() => network.remove())
    run(`ip -n ${network.host} rule add ${FOREIGN_RULE}`)
    const world = start(network.internet, [
      fileURLToPath(new URL('namespaces/internet.ts', import.meta.url)),
      internet.site,
      SITE6,
      internet.names,
    ])
    if (world.stdout) createInterface({ input: world.stdout }).on('line', (line) => visits.push(JSON.parse(line)))
    const hub = fileURLToPath(new URL('../../hub/dist/main.js', import.meta.url))
    const args = ['--host', internet.hub, '--port', '3001', '--data-dir', join(folder, 'hub')]
    start(network.internet, [hub, ...args], {
      MOBILEPOOL_ADMIN_KEY: ADMIN_KEY,
      ROTATION_MIN_INTERVAL: '0',
      ROTATION_DRAIN: '1',
    }).stdout?.resume()
    await eventually(() => visits.some(({ kind }) => kind === 'ready'), 'the internet is there')
    const { token } = (await eventually(
      () => ask('POST', '/agents/tokens', { name: 'seoul-01' }).catch(() => null),
      'the hub is there',
    )) as { token: string }
    writeFileSync(
      join(folder, 'agent.json'),
      JSON.stringify({
        hub: HUB,
        token,
        name: 'seoul-01',
        stateDir: join(folder, 'agent'),
        insecureHub: true,
        // The addresses of this internet are those of examples.
        allowPrivateTargets: true,
        dnsServers: [internet.names],
        driver: 'exec',
        driverOptions: {
          interface: 'wwan0',
          gateway: '10.64.0.1',
          down: 'ip link set wwan0 down',
          up: `${network.exitScript(NEW)} && ip link set wwan0 up`,
          holdsMs: [500],
        },
        logLevel: 'debug',
      }),
    )
    startAgent()
  }, 60_000)

  afterAll(async () => {
    for (const tidy of leftovers.toReversed()) await tidy()
    rmSync(folder, { recursive: true, force: true })
  })

  test('is online by its own exit IP, and asks names and fetches by it', async () => {
    await eventually(
      () =>
        deviceNow().then(
          ({ status }) => status === 'online',
          () => false,
        ),
      'online',
    )
    expect(await deviceNow()).toMatchObject({ exit_ip: OLD })
    expect(JSON.parse(await through('http://one.example/'))).toEqual({ ip: OLD })
    expect(visits.filter(({ kind }) => kind === 'dns')).toContainEqual({ kind: 'dns', from: OLD })
  })

  test('rotates while it is used: another exit IP, what was open is cut, and not one packet by the host’s own way', async () => {
    const cut = through('http://two.example/endless', '-m', '60').catch((error: { code: number }) => error.code)
    await eventually(() => visits.some(({ path }) => path === '/endless'), 'the endless answer has begun')
    const { rotation: ordered } = rotateReply.parse(await ask('POST', '/admin/devices/seoul-01/rotate', {}))
    let asked = 0
    const ended = await eventually(async () => {
      asked += 1
      await through(`http://fresh-${asked}.example/`).catch(() => {})
      const now = rotation.parse(await ask('GET', `/rotations/${ordered.id}`))
      return now.ended_at === null ? null : now
    }, 'the rotation is over')
    expect(ended).toMatchObject({ state: 'changed', old_ip: OLD, new_ip: NEW })
    // curl: 18 is an answer that broke off, 56 a reset.
    expect([18, 52, 56]).toContain(await cut)
    expect(JSON.parse(await through('http://after.example/'))).toEqual({ ip: NEW })
  })

  test('is back after its link has been away, with the same address', async () => {
    run(`ip -n ${network.host} link set wwan0 down`)
    run(`ip -n ${network.host} link set wwan0 up`)
    const seen = await eventually(() => through('http://bounced.example/').catch(() => null), 'it fetches')
    expect(JSON.parse(seen)).toEqual({ ip: NEW })
  })

  test('was never seen by another address, and nothing of it went by the host’s own way', async () => {
    expect(new Set(visits.flatMap(({ from }) => from ?? []))).toEqual(new Set([OLD, NEW]))
    expect(network.packetsByHome).toBe(0)
    // Both would have been noticed.
    await curl(network.host, `http://${internet.site}/`)
    expect(network.packetsByHome).toBeGreaterThan(0)
    expect(visits.at(-1)).toMatchObject({ from: HOME })
  })

  test('gets its rule back when somebody has deleted it', async () => {
    const ours = await eventually(() => rules().find((rule) => rule.includes(INNER)), 'the rule')
    run(`ip -n ${network.host} rule del from ${INNER}`)
    await eventually(async () => {
      await through('http://deleted.example/', '-m', '2').catch(() => {})
      return rules().includes(ours)
    }, 'the rule is back')
  })

  test('leaves the host’s rules as they were', async () => {
    expect(rules().some((rule) => rule.includes('500'))).toBe(true)
    await agent.kill('SIGTERM')
    expect(rules().filter((rule) => rule.includes(INNER))).toEqual([])
    expect(rules().some((rule) => rule.includes('from 10.99.0.1 lookup 500'))).toBe(true)
    expect(run(`ip -n ${network.host} route show table all protocol 77`)).toBe('')
  })

  test('is what keeps it there: without them its packets go by the host’s way', async () => {
    const before = network.packetsByHome
    startAgent('--no-policy-routes')
    await eventually(() => network.packetsByHome > before, 'packets by the host’s own way')
    await agent.kill('SIGTERM')
  })

  test('reaches what has no IPv4 address by its own IPv6 address, only where that is wanted', async () => {
    network.advertise6()
    startAgent()
    await eventually(() => through('http://seven.example/').catch(() => null), 'it fetches')
    await expect(through('http://six.example/')).rejects.toThrow(/error: 593/)
    await agent.kill('SIGTERM')

    startAgent('--ipv6')
    const seen = await eventually(() => through('http://six.example/').catch(() => null), 'it fetches by IPv6')
    expect(JSON.parse(seen)).toEqual({ ip: INNER6 })
    expect(JSON.parse(await through(`http://[${SITE6}]/`))).toEqual({ ip: INNER6 })
    expect(JSON.parse(await through('http://eight.example/'))).toEqual({ ip: NEW })
    expect(run(`ip -6 -n ${network.host} rule show`)).toContain(INNER6)
    await agent.kill('SIGTERM')
    expect(run(`ip -6 -n ${network.host} rule show`)).not.toContain(INNER6)
  })
})
