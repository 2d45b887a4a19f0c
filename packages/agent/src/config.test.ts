import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parseConfig } from './config.ts'
import { gatherConfig } from './config-sources.ts'
import { AgentError } from './errors.ts'

const good = { hub: 'http://127.0.0.1:3001', name: 'seoul-01', stateDir: '/tmp/x', driver: 'simulated' }

const problemsOf = (config: Record<string, unknown>): string => {
  try {
    parseConfig(config)
  } catch (error) {
    expect(error).toBeInstanceOf(AgentError)
    return (error as AgentError).message
  }
  throw new Error('the configuration was accepted')
}

describe('a configuration', () => {
  test('gets its defaults', () => {
    expect(parseConfig(good)).toEqual({
      ...good,
      driverOptions: {},
      policyRoutes: true,
      tunnel: true,
      insecureHub: false,
      listen: { host: '127.0.0.1', port: 0 },
      type: 'generic',
      allowPrivateTargets: true,
      dnsServers: [],
      hostAddresses: [],
      heartbeatMs: 10_000,
      logLevel: 'info',
    })
  })

  test.each([
    ['127.0.0.1:3128', { host: '127.0.0.1', port: 3128 }],
    ['[::1]:0', { host: '::1', port: 0 }],
    ['localhost:80', { host: 'localhost', port: 80 }],
  ])('understands --listen %s', (listen, expected) => {
    expect(parseConfig({ ...good, listen }).listen).toEqual(expected)
  })

  test.each([
    [{ hub: 'hub:3001' }, 'hub (--hub): must be the URL of the hub'],
    [{ hub: 'http://user:pw@hub:3001' }, 'hub (--hub): must hold no user name'],
    [{ hub: undefined }, 'hub (--hub): is missing'],
    [{ hub: 'http://192.168.1.5:3001' }, 'hub (--hub): must be https'],
    [{ tunnelSessions: 17 }, 'tunnelSessions (--tunnel-sessions): must be 1 to 16'],
    [{ name: 'a b' }, 'name (--name): may hold only letters'],
    [{ stateDir: 7 }, 'stateDir (--state-dir): must be a folder'],
    [{ driver: 'adb' }, 'driver (--driver): must be one of: simulated'],
    [{ driverOptions: [] }, 'driverOptions (--driver-options): must be a JSON object'],
    [{ listen: '3128' }, 'listen (--listen): must be address:port'],
    [{ listen: 'example.com:1' }, 'listen (--listen): must be address:port'],
    [{ listen: '127.0.0.1:70000' }, 'listen (--listen): must be address:port'],
    [{ listen: '0.0.0.0:3128' }, 'advertise (--advertise): is needed with --listen 0.0.0.0'],
    [{ advertise: 'http://x' }, 'advertise (--advertise): must be a host'],
    [{ type: 'toaster' }, 'type (--type)'],
    [{ heartbeatMs: 5 }, 'heartbeatMs (--heartbeat-ms)'],
    [{ dnsServers: ['dns.example'] }, 'dnsServers.0 (--dns-servers): must be an IPv4 or IPv6 address'],
    [{ nmae: 'x' }, 'nmae: there is no such option'],
  ])('with %j is refused: %s', (change, says) => {
    expect(problemsOf({ ...good, ...change })).toContain(says)
  })

  test.each([{ hub: 'https://hub.example' }, { hub: 'http://[::1]:3001' }, { hub: 'http://192.168.1.5:3001', insecureHub: true }])(
    'takes the hub of %j',
    (change) => {
      expect(parseConfig({ ...good, ...change })).toMatchObject(change)
    },
  )

  test('has all its problems told at once', () => {
    expect(problemsOf({}).split('\n')).toHaveLength(4)
  })
})

describe('where a configuration comes from', () => {
  const dir = mkdtempSync(join(tmpdir(), 'mp-config-'))
  const file = (text: string): string => {
    const path = join(dir, 'agent.json')
    writeFileSync(path, text)
    return path
  }
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  test('a flag goes before the environment, and that before the file', () => {
    const config = file(JSON.stringify({ ...good, hub: 'http://file', token: 'file', name: 'file' }))
    const env = { MOBILEPOOL_HUB_URL: 'http://env', MOBILEPOOL_TOKEN: 'env' }
    expect(gatherConfig({ config, hub: 'http://flag', token: undefined }, env)).toMatchObject({
      hub: 'http://flag',
      token: 'env',
      name: 'file',
    })
    expect(gatherConfig({ config }, { MOBILEPOOL_TOKEN: '' })).toMatchObject({ hub: 'http://file', token: 'file' })
  })

  test('driver options may be given as JSON', () => {
    expect(gatherConfig({ driverOptions: '{"poolSize":3}' }, {})).toEqual({ driverOptions: { poolSize: 3 } })
  })

  test.each([
    [{ driverOptions: '{poolSize' }, '--driver-options is not JSON'],
    [{ driverOptions: '[1]' }, '--driver-options must hold a JSON object'],
    [{ config: '/nowhere/agent.json' }, '/nowhere/agent.json cannot be read (ENOENT)'],
  ])('%j is refused: %s', (flags, says) => {
    expect(() => gatherConfig(flags, {})).toThrow(says)
  })

  test('a file that is no JSON is named', () => {
    expect(() => gatherConfig({ config: file('hub: x') }, {})).toThrow(/agent\.json is not JSON/)
  })
})
