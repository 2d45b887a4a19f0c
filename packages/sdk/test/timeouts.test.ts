import { once } from 'node:events'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { Stage } from './stage.ts'

const stage = new Stage()

describe.each([
  ['http', { tls: false, http2: false }],
  ['https', { tls: true, http2: false }],
  ['h2', { tls: true, http2: true }],
] as const)('over %s', (_name, { tls, http2 }) => {
  test('a body that falls silent is broken after bodyMs, and the device is free again', async () => {
    const origin = await stage.origin({ tls, http2 })
    const device = await stage.device('kazan-02')
    const pool = stage.pool([device], { http2, timeouts: { bodyMs: 100 } })
    const { body } = await request(`${origin.url}/stream/60000`, { dispatcher: pool.dispatcher })
    await expect(body.text()).rejects.toMatchObject({
      code: 'MP_RESPONSE_BROKEN',
      errno: 'ETIMEDOUT',
      phase: 'body',
      attempts: [{ kind: 'response_broken' }],
    })
    await eventually('the device is free', () => pool.stats().devices[0]?.inFlight === 0)
    // Over HTTP/2 only the stream ends: the connection can carry the next request.
    if (!http2) await eventually('the connection is closed', () => device.sockets.size === 0)
  })

  test('a request’s own bodyTimeout and headersTimeout go before the pool’s, 0 being none', async () => {
    const origin = await stage.origin({ tls, http2 })
    const pool = stage.pool([await stage.device('seoul-01')], { http2, retry: false, timeouts: { bodyMs: 100, firstByteMs: 100 } })
    const ask = async (path: string, options: object) => {
      const { body } = await request(origin.url + path, { dispatcher: pool.dispatcher, ...options })
      return body.text()
    }
    expect(await ask('/stream/300', { bodyTimeout: 0 })).toBe('firstsecond')
    expect(await ask('/stream/300', { bodyTimeout: 20_000 })).toBe('firstsecond')
    expect(await ask('/slow/300', { headersTimeout: 0 })).toBe('slow')
    expect(await ask('/slow/300', { headersTimeout: 20_000 })).toBe('slow')
    await expect(ask('/stream/20000', {})).rejects.toMatchObject({ code: 'MP_RESPONSE_BROKEN' })
    await expect(ask('/slow/20000', {})).rejects.toMatchObject({ code: 'MP_RESPONSE_TIMEOUT' })
    const patient = stage.pool([await stage.device('busan-03')], { http2, retry: false })
    const hasty = request(`${origin.url}/slow/20000`, { dispatcher: patient.dispatcher, headersTimeout: 50 })
    await expect(hasty).rejects.toMatchObject({ code: 'MP_RESPONSE_TIMEOUT' })
    const { body } = await request(`${origin.url}/stream/20000`, { dispatcher: patient.dispatcher, bodyTimeout: 50 })
    await expect(body.text()).rejects.toMatchObject({ code: 'MP_RESPONSE_BROKEN' })
  })

  test('a caller who does not read is not a silence of the device', async () => {
    const origin = await stage.origin({ tls, http2 })
    const pool = stage.pool([await stage.device('seoul-01')], { http2, timeouts: { bodyMs: 1_000 } })
    const { body } = await request(`${origin.url}/bytes/5000000`, { dispatcher: pool.dispatcher })
    await once(body, 'readable')
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    expect((await body.arrayBuffer()).byteLength).toBe(5_000_000)
  })
})
