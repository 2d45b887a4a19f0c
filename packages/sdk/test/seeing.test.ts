import { channel } from 'node:diagnostics_channel'
import type { ChannelMessages, PoolLogger } from '@mobilepool/sdk'
import { pino } from 'pino'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { Stage } from './stage.ts'

const stage = new Stage()
const unsubscribe: (() => void)[] = []
afterEach(() => {
  for (const stop of unsubscribe.splice(0)) stop()
})

function listenTo<Name extends keyof ChannelMessages>(name: Name): ChannelMessages[Name][] {
  const messages: ChannelMessages[Name][] = []
  const take = (message: unknown): void => void messages.push(message as ChannelMessages[Name])
  channel(name).subscribe(take)
  unsubscribe.push(() => channel(name).unsubscribe(take))
  return messages
}

/** A logger that keeps its lines. */
function keepLog(): PoolLogger & { readonly lines: { level: string; fields: object; message: string }[] } {
  const lines: { level: string; fields: object; message: string }[] = []
  const keep = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') }
}

describe('diagnostics channels', () => {
  test('tell of a request, its attempts, the ban, the retry, an ejection and a rotation, without path, query or credentials', async () => {
    const origin = await stage.origin()
    const [omsk, seoul] = [await stage.device('omsk-05', { auth: 'user:s3cret' }), await stage.device('seoul-01')]
    origin.ban(omsk.egress)
    const [requests, attempts] = [listenTo('mobilepool:request'), listenTo('mobilepool:attempt')]
    const [bans, retries] = [listenTo('mobilepool:ban'), listenTo('mobilepool:retry')]
    const [ejects, rotations] = [listenTo('mobilepool:eject'), listenTo('mobilepool:rotate')]
    const devices = [
      { id: 'omsk-05', url: omsk.url, rotate: async () => (omsk.egress = '127.10.5.2') },
      { id: 'seoul-01', url: seoul.url },
    ]
    const pool = stage.open({ devices, balancer: 'round-robin', eject: { consecutive: 1 } })
    await (await pool.fetch(`${origin.url}/?token=s3cret`)).text()
    await eventually('the request is told', () => requests.length === 1)
    expect(requests).toMatchObject([{ pool, site: '127.0.0.1', host: '127.0.0.1', method: 'GET', outcome: 'answered' }])
    expect(attempts).toMatchObject([
      { device: 'omsk-05', attempt: 1, kind: 'banned', statusCode: 403 },
      { device: 'seoul-01', attempt: 2, kind: 'answered', statusCode: 200, bytesOut: 0 },
    ])
    expect(bans).toMatchObject([{ pool, device: 'omsk-05', statusCode: 403 }])
    expect(retries).toMatchObject([{ attempt: { device: 'omsk-05', kind: 'banned' } }])
    await pool.rotate('omsk-05')
    expect(rotations).toMatchObject([{ pool, device: 'omsk-05', newIp: '127.10.5.2' }])
    await seoul.refuse()
    for (let i = 0; i < 2; i++) await (await pool.fetch(origin.url, { method: 'POST', body: 'four' })).text()
    expect(ejects).toMatchObject([{ pool, device: 'seoul-01', faults: 1 }])
    expect(attempts.filter(({ method }) => method === 'POST').map(({ bytesOut }) => bytesOut)).toContain(4)
    const told = [...requests, ...attempts, ...bans, ...retries, ...ejects, ...rotations]
    expect(JSON.stringify(told.map(({ pool: _, ...message }) => message))).not.toContain('s3cret')
  })

  test('of a request that its caller aborts before a device is connected', async () => {
    const origin = await stage.origin()
    const kazan = await stage.device('kazan-02')
    kazan.fault = { kind: 'hang_connect' }
    const [requests, attempts] = [listenTo('mobilepool:request'), listenTo('mobilepool:attempt')]
    const pool = stage.open({ devices: [{ url: kazan.url, id: 'kazan-02', tunnel: 'always' }] })
    const abort = new AbortController()
    const refused = expect(pool.fetch(origin.url, { signal: abort.signal })).rejects.toThrow()
    await eventually('the device is asked', () => kazan.counts.connects === 1)
    abort.abort()
    await refused
    expect(requests).toMatchObject([{ outcome: 'aborted' }])
    expect(attempts).toMatchObject([{ kind: 'aborted', device: 'kazan-02' }])
    expect(pool.stats().outcomes).toEqual({ aborted: 1 })
  })
})

describe('stats', () => {
  test('count outcomes, latencies and bytes, of each device and of all', async () => {
    const origin = await stage.origin()
    const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
    origin.ban(omsk.egress)
    const pool = stage.pool([omsk, seoul])
    expect(pool.stats()).toMatchObject({ outcomes: {}, latencyMs: null, bytesIn: 0, quarantines: 0 })
    for (let i = 0; i < 4; i++) await (await pool.fetch(`${origin.url}/bytes/1000`, { method: 'GET' })).arrayBuffer()
    await (await pool.fetch(`${origin.url}/slow/300`)).text()
    const { devices, ...all } = pool.stats()
    expect(all).toMatchObject({ outcomes: { banned: 1, answered: 5 }, quarantines: 1, rotations: { changed: 0, unchanged: 0, failed: 0 } })
    expect(all.bytesIn).toBeGreaterThanOrEqual(4_000)
    expect(devices.map(({ name, outcomes }) => [name, outcomes])).toEqual([
      ['omsk-05', { banned: 1 }],
      ['seoul-01', { answered: 5 }],
    ])
    const { latencyMs } = devices[1] ?? {}
    expect(latencyMs?.p95).toBeGreaterThan(275)
    expect(latencyMs?.p50).toBeLessThan(latencyMs?.p95 ?? 0)
  })
})

describe('a logger', () => {
  test('of pino gets bans, ejections, rotations and retries at their levels, and no credentials', async () => {
    const origin = await stage.origin()
    const [omsk, kazan] = [await stage.device('omsk-05', { auth: 'user:s3cret' }), await stage.device('kazan-02')]
    const seoul = await stage.device('seoul-01')
    origin.ban(omsk.egress)
    await kazan.refuse()
    const lines: { level: number; msg: string }[] = []
    const logger: PoolLogger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
    const devices = [
      { id: 'omsk-05', url: omsk.url, rotate: 'http://user:s3cret@127.0.0.1:1/turn?key=s3cret' },
      { id: 'kazan-02', url: kazan.url },
      { id: 'seoul-01', url: seoul.url },
    ]
    const pool = stage.open({ devices, balancer: 'round-robin', eject: { consecutive: 1 }, logger })
    for (let i = 0; i < 4; i++) await (await pool.fetch(`${origin.url}/?key=s3cret`)).text()
    await pool.rotate('omsk-05')
    const said = lines.map(({ level, msg }) => `${pino.levels.labels[level]} ${msg}`)
    expect(said).toContain('info mobilepool: ban: 127.0.0.1 refused device omsk-05')
    expect(said).toContain('debug mobilepool: retry: device omsk-05 gave banned')
    expect(said).toContain('warn mobilepool: device kazan-02 is taken out after 1 failures in a row')
    expect(said).toContain('warn mobilepool: device omsk-05 rotated without a new IP: failed (device_unreachable)')
    expect(lines).toContainEqual(expect.objectContaining({ event: 'eject', device: 'kazan-02', faults: 1, reason: 'faults' }))
    expect(JSON.stringify(lines)).not.toContain('s3cret')
  })

  test('that throws breaks no request', async () => {
    const origin = await stage.origin()
    const seoul = await stage.device('seoul-01')
    const uncaught: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => uncaught.push(error))
    try {
      const logger = {
        ...keepLog(),
        debug: () => {
          throw new Error('disk full')
        },
      }
      const pool = stage.pool([seoul], { logger })
      expect((await pool.fetch(origin.url)).status).toBe(200)
      expect(uncaught).toMatchObject([{ message: 'disk full' }])
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of listeners) process.on('uncaughtException', listener)
    }
  })

  test('must have all four methods', () => {
    const half = { debug() {}, info() {} } as unknown as PoolLogger
    expect(() => stage.open({ devices: ['http://127.0.0.1:1'], logger: half })).toThrow(
      /logger: must have the methods debug, info, warn and error/,
    )
    expect(() => stage.open({ devices: ['http://127.0.0.1:1'], logger: console })).not.toThrow()
  })
})
