import { type SettingJson, settingList } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { variables } from '../src/config-sources.ts'
import { startHub, type TestHub } from './hub.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ maxDevices: 40 })
})
afterAll(() => hub.remove())

const patch = (settings: Record<string, unknown>) => hub.ask('/api/v1/config', { method: 'PATCH', key: 'admin', body: { settings } })
const setting = async (name: string): Promise<SettingJson | undefined> =>
  settingList.parse((await hub.ask('/api/v1/config', { key: 'admin' })).json).settings.find((one) => one.name === name)

describe('settings', () => {
  test('are all listed with value, default and source, and no secret is shown', async () => {
    const { text, json } = await hub.ask('/api/v1/config', { key: 'admin' })
    expect(settingList.parse(json).settings.map(({ name }) => name)).toEqual(variables.map(({ env }) => env[0]))
    expect(await setting('MAX_DEVICES')).toMatchObject({ value: 40, default: 50, source: 'program' })
    expect(await setting('HEARTBEAT_TIMEOUT')).toMatchObject({ value: 60, default: 60, source: 'default', takes_effect: 'restart' })
    expect(await setting('SECRET_KEY')).toMatchObject({ value: null, source: 'program', takes_effect: 'fixed' })
    expect(text).not.toMatch(/a secret key of the tests|mp_test-admin|postgres@127/)
  })

  test('that are kept in the database count from the next start on, before the default and after what is given', async () => {
    const answer = await patch({ HEARTBEAT_TIMEOUT: 30, CORS_ORIGINS: ['https://a.example', 'https://b.example'] })
    expect(answer.status).toBe(200)
    expect(await setting('HEARTBEAT_TIMEOUT')).toMatchObject({ value: 60, source: 'default', pending: 30 })
    hub = await hub.restart()
    expect(await setting('HEARTBEAT_TIMEOUT')).toMatchObject({ value: 30, source: 'database' })
    expect((await setting('HEARTBEAT_TIMEOUT'))?.pending).toBeUndefined()
    const { headers } = await hub.ask('/status', { headers: { origin: 'https://b.example' } })
    expect(headers['access-control-allow-origin']).toBe('https://b.example')
    await patch({ HEARTBEAT_TIMEOUT: null, CORS_ORIGINS: null })
    expect(await setting('HEARTBEAT_TIMEOUT')).toMatchObject({ value: 30, source: 'database', pending: 60 })
    hub = await hub.restart()
    expect(await setting('HEARTBEAT_TIMEOUT')).toMatchObject({ value: 60, source: 'default' })
  })

  test('that are typed as text, as forms and the environment have them, are kept as what they mean', async () => {
    await patch({ HEARTBEAT_TIMEOUT: '45', LOG_QUERY_STRINGS: 'yes', CORS_ORIGINS: 'https://a.example, https://b.example' })
    expect((await setting('HEARTBEAT_TIMEOUT'))?.pending).toBe(45)
    expect((await setting('LOG_QUERY_STRINGS'))?.pending).toBe(true)
    hub = await hub.restart()
    expect(await setting('HEARTBEAT_TIMEOUT')).toMatchObject({ value: 45, source: 'database' })
    expect(await setting('CORS_ORIGINS')).toMatchObject({ value: ['https://a.example', 'https://b.example'], source: 'database' })
    for (const name of ['HEARTBEAT_TIMEOUT', 'LOG_QUERY_STRINGS', 'CORS_ORIGINS']) expect((await setting(name))?.pending).toBeUndefined()
    await patch({ HEARTBEAT_TIMEOUT: null, LOG_QUERY_STRINGS: null, CORS_ORIGINS: null })
    hub = await hub.restart()
  })

  test('that take effect at once do', async () => {
    expect(await setting('API_RATE_LIMIT')).toMatchObject({ takes_effect: 'at_once' })
    await patch({ API_RATE_LIMIT: 500 })
    expect(await setting('API_RATE_LIMIT')).toMatchObject({ value: 500, source: 'database' })
    expect((await hub.ask('/api/v1/config', { key: 'admin' })).headers['ratelimit-policy']).toContain('q=500;')
    await patch({ API_RATE_LIMIT: null })
    expect(await setting('API_RATE_LIMIT')).toMatchObject({ value: 6_000, source: 'default' })
  })

  test.each([
    ['a value that is not valid', { HEARTBEAT_TIMEOUT: 0 }, 400, 'settings.HEARTBEAT_TIMEOUT must be at least 1 seconds, not 0'],
    ['a value of another kind', { PUBLIC_STATUS: 'perhaps' }, 400, 'settings.PUBLIC_STATUS must be true or false, not "perhaps"'],
    ['a setting that does not exist', { COLOUR: 'red' }, 400, 'settings.COLOUR is no setting'],
    ['a setting that was given at the start', { MAX_DEVICES: 60 }, 409, 'MAX_DEVICES can be set only where the hub is started'],
    ['a secret', { SECRET_KEY: '0123456789abcdef' }, 409, 'SECRET_KEY can be set only'],
    ['what is needed before there is a database', { DATABASE_POOL_SIZE: 5 }, 409, 'DATABASE_POOL_SIZE can be set only'],
    ['nothing', {}, 400, 'names nothing'],
  ])('%s is refused, and nothing of the request is kept', async (_case, settings, status, detail) => {
    const answer = await patch({ ...settings, ...(Object.keys(settings).length === 0 ? {} : { QUOTA_PERIOD: 'day' }) })
    expect(answer.status).toBe(status)
    expect(answer.json.detail).toContain(detail)
    expect(await setting('QUOTA_PERIOD')).toMatchObject({ value: 'month', source: 'default' })
  })
})
