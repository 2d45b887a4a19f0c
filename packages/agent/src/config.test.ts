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
      recovery: true,
      ipv6: false,
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
    [{ nmae: 'x' }, 'nmae (--nmae): there is no such option'],
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
    expect(problemsOf({}).split('\n')).toHaveLength(3)
  })
})

describe('where a configuration comes from', () => {
  const dir = mkdtempSync(join(tmpdir(), 'mp-config-'))
  const file = (content: unknown): string => {
    const path = join(dir, 'agent.json')
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
    return path
  }
  /** The usual file is not looked at in tests: it may be there. */
  const nowhere = { MOBILEPOOL_CONFIG: file({}) }
  const inputOf = (...args: Parameters<typeof gatherConfig>): unknown => gatherConfig(...args).devices[0]?.input
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  test('a flag goes before the environment, and that before the file', () => {
    const config = file({ ...good, hub: 'http://file', token: 'file', name: 'file' })
    const env = { MOBILEPOOL_HUB_URL: 'http://env', MOBILEPOOL_TOKEN: 'env' }
    expect(inputOf({ config, hub: 'http://flag', token: undefined }, env)).toMatchObject({ hub: 'http://flag', token: 'env', name: 'file' })
    expect(inputOf({ config }, { MOBILEPOOL_TOKEN: '' })).toMatchObject({ hub: 'http://file', token: 'file' })
    expect(inputOf({}, { MOBILEPOOL_CONFIG: config })).toMatchObject({ hub: 'http://file' })
  })

  test('driver options may be given as JSON', () => {
    file({})
    expect(inputOf({ driverOptions: '{"poolSize":3}' }, nowhere)).toEqual({ driverOptions: { poolSize: 3 } })
  })

  test.each([
    [{ driverOptions: '{poolSize' }, '--driver-options is not JSON'],
    [{ driverOptions: '[1]' }, '--driver-options must hold a JSON object'],
    [{ config: '/nowhere/agent.json' }, '/nowhere/agent.json cannot be read (ENOENT)'],
  ])('%j is refused: %s', (flags, says) => {
    file({})
    expect(() => gatherConfig(flags, nowhere)).toThrow(says)
  })

  test('a file that is no JSON is named, and the line', () => {
    expect(() => gatherConfig({ config: file('hub: x') }, {})).toThrow(/agent\.json is not JSON/)
    expect(() => gatherConfig({ config: file('{\n  "hub": "x",\n  name\n}') }, {})).toThrow(/agent\.json, line 3, is not JSON/)
  })

  const farm = {
    hub: 'http://127.0.0.1:3001',
    stateDir: '/tmp/farm',
    type: 'usb_modem',
    devices: [
      { name: 'seoul-01', driver: 'simulated' },
      { name: 'busan-03', driver: 'simulated', type: 'toaster', stateDir: '/tmp/busan' },
    ],
  }

  test('a file of several devices gives each what stands beside them, and a folder of its own', () => {
    const { devices } = gatherConfig({ config: file(farm), logLevel: 'debug' }, {})
    expect(devices.map(({ input }) => input)).toEqual([
      { hub: farm.hub, type: 'usb_modem', logLevel: 'debug', name: 'seoul-01', driver: 'simulated', stateDir: '/tmp/farm/seoul-01' },
      { hub: farm.hub, type: 'toaster', logLevel: 'debug', name: 'busan-03', driver: 'simulated', stateDir: '/tmp/busan' },
    ])
  })

  test('a name picks one of several devices', () => {
    const { devices } = gatherConfig({ config: file(farm), name: 'seoul-01' }, {})
    expect(devices.map(({ input }) => input)).toEqual([
      { hub: farm.hub, type: 'usb_modem', name: 'seoul-01', driver: 'simulated', stateDir: '/tmp/farm/seoul-01' },
    ])
  })

  test('what is wrong in a file is told with its line, what is missing with the flag and the device', () => {
    const path = file(farm)
    const [, busan] = gatherConfig({ config: path }, {}).devices
    const told = (): unknown => parseConfig(busan?.input, busan?.whereIs)
    expect(told).toThrow(`type (${path}, line 13): `)
    const flagged = gatherConfig({ config: path, driver: 'adb', name: 'seoul-01' }, {}).devices[0]
    expect(() => parseConfig(flagged?.input, flagged?.whereIs)).toThrow('driver (--driver): must be one of')
    const [nameless] = gatherConfig({ config: file({ ...farm, devices: [{ driver: 'simulated' }] }) }, {}).devices
    expect(() => parseConfig(nameless?.input, nameless?.whereIs)).toThrow(`name (--name, or ${path}, line 6): is missing`)
  })

  test.each([
    [{ devices: {} }, 'devices (FILE, line 2): must be a list of devices'],
    [{ devices: [] }, 'must be a list of devices'],
    [{ devices: [{ name: 'a' }, { name: 'a' }] }, 'devices[1].name (FILE, line 7): a is there already'],
  ])('the file %j is refused: %s', (content, says) => {
    const path = file(content)
    expect(() => gatherConfig({ config: path }, {})).toThrow(says.replace('FILE', path))
  })
})
