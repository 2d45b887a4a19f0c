import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, fetch } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHub, type Hub } from '../../hub/src/index.ts'
import { AgentProcess, eventually } from './agent-process.ts'

/** IPv4 and TCP with timestamps; a segment and the other end's acknowledgement of it each have one. */
const HEADERS = 20 + 32

/** Passes connections on and counts what they carry: all that is between the agent and its hub. */
class CountingRelay {
  bytes = 0
  segments = 0
  readonly open = new Set<Socket>()
  readonly #server: Server

  constructor(target: () => number) {
    this.#server = createServer((from) => {
      // The hub is to see where it came from.
      const to = connect({ port: target(), host: '127.0.0.1', localAddress: from.remoteAddress })
      this.open.add(from)
      from.on('close', () => this.open.delete(from))
      for (const [one, other] of [
        [from, to],
        [to, from],
      ] as const) {
        one.setNoDelay(true)
        one.on('data', (chunk) => {
          this.bytes += chunk.length
          this.segments += 1
          other.write(chunk)
        })
        one.on('end', () => other.end())
        one.on('error', () => other.destroy())
      }
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  /** At most what an interface would have counted: each segment is acknowledged by another one. */
  get onTheWire(): number {
    return this.bytes + this.segments * 2 * HEADERS
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
if (!hasOpenssl) console.log('skipped: bytes on the SIM (openssl, which makes the certificate, is not installed)')

describe.skipIf(!hasOpenssl)('an idle device', () => {
  const adminKey = 'mp_bandwidth-test-admin-key-0123456789'
  const folder = mkdtempSync(join(tmpdir(), 'mp-bytes-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  // Everything at ten times its speed: a heartbeat a second, and an idle tunnel pinged every two.
  const SPEED = 10
  let hub: Hub
  let relay: CountingRelay
  let agent: AgentProcess | null = null

  beforeAll(async () => {
    const subject = ['-subj', '/CN=hub', '-addext', 'subjectAltName=IP:127.0.0.1']
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject], {
      stdio: 'ignore',
    })
    hub = await createHub({
      port: 0,
      dataDir: join(folder, 'hub'),
      adminKey,
      logLevel: 'silent',
      tlsCert: cert,
      tlsKey: key,
      tunnelPingMs: 5_000 / SPEED,
    })
    relay = new CountingRelay(() => Number(new URL(hub.url).port))
  })

  afterAll(async () => {
    await agent?.kill('SIGKILL')
    await relay.close()
    await hub.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('costs its SIM at most 1 KB a minute, TLS and the headers of TCP included, and is online all the time', async () => {
    const dispatcher = new Agent({ connect: { ca: readFileSync(cert) } })
    const ask = async (method: string, path: string, body?: string): Promise<Record<string, unknown>> => {
      const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
      const reply = await fetch(`${hub.url}${path}`, { method, headers, dispatcher, ...(body === undefined ? {} : { body }) })
      return (await reply.json()) as Record<string, unknown>
    }
    const { token } = await ask('POST', '/api/v1/agents/tokens', '{"name":"seoul-01"}')
    const config = join(folder, 'agent.json')
    const device = { name: 'seoul-01', driver: 'simulated', driverOptions: { firstAddress: '127.10.41.1' }, heartbeatMs: 10_000 / SPEED }
    writeFileSync(
      config,
      JSON.stringify({ hub: `https://127.0.0.1:${await relay.listen()}`, token, stateDir: join(folder, 'agent'), ...device }),
    )
    agent = new AgentProcess(['run', '--config', config], { NODE_EXTRA_CA_CERTS: cert })
    const look = () => ask('GET', '/api/v1/admin/devices/seoul-01')
    // Enrolment and the first heartbeats went by connections of their own; what is left is the tunnel.
    await eventually(async () => {
      const { status, tunnel } = await look()
      return status === 'online' && (tunnel as { connected: boolean } | null)?.connected === true
    }, 'the device is online')
    const before = await eventually(async () => {
      const { onTheWire } = relay
      await delay(1_000)
      return relay.onTheWire - onTheWire < 1_000 ? relay.onTheWire : null
    }, 'what a start takes is over')

    const MINUTE = 60_000 / SPEED
    await delay(MINUTE)
    const perMinute = relay.onTheWire - before
    const after = await look()
    console.log(`an idle device costs its SIM ${perMinute} bytes a minute (${relay.open.size} connections)`)
    expect(perMinute).toBeLessThanOrEqual(1_024)
    expect(perMinute).toBeGreaterThan(0)
    expect(after.status).toBe('online')
    await dispatcher.destroy()
  })
})
