import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { AgentProcess, eventually } from './agent-process.ts'
import { ContractHub } from './contract-hub.ts'

vi.setConfig({ testTimeout: 90_000 })

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
if (!hasOpenssl) console.log('skipped: a hub over TLS (openssl, which makes the certificate, is not installed)')

describe.skipIf(!hasOpenssl)('a hub over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mp-tls-'))
  const cert = join(folder, 'cert.pem')
  let hub: ContractHub
  let agent: AgentProcess | null = null

  beforeAll(async () => {
    const key = join(folder, 'key.pem')
    const subject = ['-subj', '/CN=hub', '-addext', 'subjectAltName=IP:127.0.0.1']
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
        '-keyout',
        key,
        '-out',
        cert,
        ...subject,
      ],
      {
        stdio: 'ignore',
      },
    )
    hub = new ContractHub({ key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') })
    await hub.start()
  })
  afterAll(async () => {
    await agent?.kill('SIGKILL')
    await hub.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const start = (env: Record<string, string>): AgentProcess => {
    const args = [
      '--hub',
      hub.url,
      '--token',
      'token-1',
      '--name',
      'seoul-01',
      '--state-dir',
      join(folder, 'state'),
      '--driver',
      'simulated',
    ]
    agent = new AgentProcess(['run', ...args], env)
    return agent
  }

  test('whose certificate nobody vouches for is told nothing, not even the token', async () => {
    const stranger = start({})
    expect((await stranger.logged('not enrolled yet')).reason).toContain('DEPTH_ZERO_SELF_SIGNED_CERT')
    expect(hub.enrolments).toEqual([])
    expect(await stranger.kill('SIGTERM')).toBe(0)
  })

  test('with a good certificate is reached by the device’s own address, before and after a rotation', async () => {
    start({ NODE_EXTRA_CA_CERTS: cert })
    await eventually(() => hub.heartbeats.length > 0, 'a heartbeat')
    expect(hub.heartbeats[0]?.from).toBe('127.10.1.1')
    const id = hub.order()
    expect(await eventually(() => hub.resultOf(id), 'the result')).toMatchObject({ state: 'changed', from: '127.10.1.2' })
  })
})
