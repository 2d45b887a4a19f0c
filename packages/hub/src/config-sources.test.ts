import { expect, test } from 'vitest'
import { readConfig, variables } from './config-sources.ts'
import { HubError } from './errors.ts'

const problemsOf = (env: Record<string, string>, flags = {}): string => {
  try {
    readConfig(env, flags)
  } catch (error) {
    expect(error).toBeInstanceOf(HubError)
    return (error as HubError).message
  }
  return ''
}

test('without any setting the hub is on loopback, port 3001, with the embedded database', () => {
  expect(readConfig({})).toMatchObject({
    host: '127.0.0.1',
    port: 3001,
    databaseUrl: null,
    maxDevices: 50,
    agentTimeoutMs: 60_000,
    bareTimeoutMs: 80_000,
    defaultRotationInterval: 600,
    rotationMinIntervalMs: 60_000,
    publicStatus: true,
  })
})

test('flags go before variables, the first name before its alias', () => {
  expect(readConfig({ API_PORT: '4000', PORT: '5000' }).port).toBe(4000)
  expect(readConfig({ PORT: '5000' }).port).toBe(5000)
  expect(readConfig({ API_PORT: '4000' }, { port: '6000' }).port).toBe(6000)
})

test('seconds become milliseconds, lists are split, an empty variable is unset', () => {
  const config = readConfig({
    HEARTBEAT_TIMEOUT: '30',
    ROTATION_MIN_INTERVAL: '0',
    TRUST_PROXY: '10.0.0.0/8, 192.0.2.1',
    CORS_ORIGINS: 'https://a.example,http://localhost:5173',
    DATABASE_URL: '',
    SECRET_KEY: '',
  })
  expect(config).toMatchObject({
    agentTimeoutMs: 30_000,
    rotationMinIntervalMs: 0,
    trustProxy: ['10.0.0.0/8', '192.0.2.1'],
    corsOrigins: ['https://a.example', 'http://localhost:5173'],
    databaseUrl: null,
    secretKey: null,
  })
})

test('beyond loopback the status is not public unless it is said', () => {
  expect(readConfig({ API_HOST: '0.0.0.0' }).publicStatus).toBe(false)
  expect(readConfig({ API_HOST: '0.0.0.0', PUBLIC_STATUS: 'yes' }).publicStatus).toBe(true)
  expect(readConfig({ PUBLIC_STATUS: 'off' }).publicStatus).toBe(false)
})

test('every problem is named at once, by the name it was given under', () => {
  const problems = problemsOf(
    {
      API_PORT: 'abc',
      MAX_DEVICES: '0',
      TRUST_PROXY: 'nginx',
      ROTATION_MAX_PARALLEL: '2',
      PUBLIC_STATUS: 'maybe',
      CORS_ORIGINS: 'example.com/',
    },
    { logLevel: 'loud' },
  )
  for (const part of [
    'API_PORT',
    '"abc"',
    'MAX_DEVICES',
    'TRUST_PROXY',
    'ROTATION_MAX_PARALLEL',
    'PUBLIC_STATUS',
    'CORS_ORIGINS',
    '--log-level',
  ])
    expect(problems).toContain(part)
})

test.each([
  ['mysql://root@localhost/db'],
  ['postgresql://user:pa55word@/db'],
  ['postgresql://user:pa55word@localhost'],
  ['localhost:5432'],
])('the database address %s is not whole, and is not repeated', (url) => {
  const problems = problemsOf({ DATABASE_URL: url })
  expect(problems).toContain('DATABASE_URL must be whole')
  expect(problems).not.toContain('pa55word')
})

test('a database address that is whole is taken', () => {
  for (const url of ['postgresql://u:p@db:5432/mobile_proxy', 'postgres:///db?host=/run/postgresql'])
    expect(readConfig({ DATABASE_URL: url }).databaseUrl).toBe(url)
})

test.each(['DATABASE_POOL_SIZE', 'DATABASE_HOST', 'DATABASE_PASSWORD', 'PGHOST'])(
  '%s without DATABASE_URL is refused: it would be ignored in silence',
  (name) => {
    expect(problemsOf({ [name]: '20' })).toContain(`${name} set without DATABASE_URL`)
  },
)

test('a secret that is not valid is named, never shown', () => {
  const problems = problemsOf({ SECRET_KEY: 'short', MOBILEPOOL_ADMIN_KEY: 'hunter2' })
  expect(problems).toContain('SECRET_KEY')
  expect(problems).toContain('MOBILEPOOL_ADMIN_KEY')
  expect(problems).not.toMatch(/short"|hunter2/)
})

test('every variable has one option and a help line', () => {
  expect(new Set(variables.map(({ option }) => option)).size).toBe(variables.length)
  expect(new Set(variables.flatMap(({ env }) => env)).size).toBe(variables.flatMap(({ env }) => env).length)
})
