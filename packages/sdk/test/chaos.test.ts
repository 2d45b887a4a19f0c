import { MobilePoolError } from '@mobilepool/sdk'
import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { Fault } from './servers/faulty-proxy.ts'
import { Stage } from './stage.ts'

const stage = new Stage()

/** A generator of random numbers that a failing run can be repeated with. */
const seeded = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}

/** Half of the time a device is well. */
const faults: (Fault | null)[] = [
  ...Array<null>(10).fill(null),
  { kind: 'drop' },
  { kind: 'reset', afterBytes: 0 },
  { kind: 'reset', afterBytes: 30_000 },
  { kind: 'hang_connect' },
  { kind: 'hang_header' },
  { kind: 'garbage' },
  { kind: 'slow', ms: 20 },
  { kind: 'wrong_length' },
  { kind: 'status', status: 502 },
  { kind: 'status', status: 503, headers: { 'x-mobilepool-error': 'draining' } },
]

/** Codes that a request may end with when its devices misbehave like this. */
const known = new Set([
  'MP_RETRIES_EXHAUSTED',
  'MP_NO_RESPONSE',
  'MP_RESPONSE_TIMEOUT',
  'MP_RESPONSE_BROKEN',
  'MP_DEVICE_ROTATED',
  'MP_NO_DEVICE',
  'MP_ALL_BANNED',
  'MP_DEVICE_DRAINING',
  'MP_TUNNEL_REFUSED',
])

test.each([1, 2])(
  'seed %i: whatever devices do, every request ends, no body is wrong, no POST arrives twice, nothing is left',
  { timeout: 120_000 },
  async (seed) => {
    const random = seeded(seed)
    const origins = [await stage.origin(), await stage.origin({ tls: true })] as const
    const devices = await Promise.all(
      (['seoul-01', 'moscow-07', 'busan-03', 'kazan-02', 'omsk-05'] as const).map((name) => stage.device(name)),
    )
    let rotations = 0
    const pool = stage.open({
      devices: devices.map(({ id, url }) => ({ id, url, rotate: async () => `127.20.0.${(rotations++ % 250) + 1}` })),
      timeouts: { connectMs: 1_000, firstByteMs: 1_500 },
      retry: { budget: 1 },
      eject: { baseMs: 200, maxMs: 500 },
      rotate: { drainMs: 200 },
      queue: { timeoutMs: 30_000 },
    })
    const weather = setInterval(() => {
      const device = devices[Math.floor(random() * devices.length)]
      if (device !== undefined) device.fault = faults[Math.floor(random() * faults.length)] ?? null
      if (random() < 0.1) void pool.rotate(devices[Math.floor(random() * devices.length)]?.id ?? '')
    }, 50)

    const ends: Record<string, number> = {}
    const end = (what: string): void => {
      ends[what] = (ends[what] ?? 0) + 1
    }
    const request = async (id: number): Promise<void> => {
      const origin = origins[id % 2 === 0 ? 0 : 1].url
      const isPost = random() < 0.4
      const bytes = Math.floor(random() * 100_000)
      const text = 'p'.repeat(1 + Math.floor(random() * 5_000))
      const signal = random() < 0.08 ? AbortSignal.timeout(Math.floor(random() * 200)) : null
      const url = isPost ? `${origin}/?id=${id}` : `${origin}/bytes/${bytes}`
      const body = random() < 0.5 ? text : new Blob([text]).stream()
      try {
        const response = await pool.fetch(url, { signal, ...(isPost ? { method: 'POST', body, duplex: 'half' } : {}) } as RequestInit)
        const answer = await response.text()
        if (response.status === 502) return end('502')
        expect(response.status).toBe(200)
        if (isPost) expect((JSON.parse(answer) as { body: string }).body).toBe(text)
        else expect(answer).toBe('x'.repeat(bytes))
        end('ok')
      } catch (error) {
        const cause = error instanceof TypeError ? error.cause : error
        if (error instanceof DOMException && error.name === 'TimeoutError' && signal !== null) end('aborted')
        else if (cause instanceof MobilePoolError && known.has(cause.code)) end(cause.code)
        else throw error
      }
    }

    let next = 0
    const total = 500
    const worker = async (): Promise<void> => {
      while (next < total) await request(next++)
    }
    try {
      await Promise.all(Array.from({ length: 40 }, worker))
    } finally {
      clearInterval(weather)
    }
    for (const device of devices) device.fault = null
    expect(Object.values(ends).reduce((sum, count) => sum + count, 0)).toBe(total)
    expect(ends.ok).toBeGreaterThan(total / 5)
    for (const origin of origins) expect(Math.max(0, ...origin.ids.values())).toBeLessThanOrEqual(1)
    await eventually('no request is counted as in flight', () => pool.stats().devices.every(({ inFlight }) => inFlight === 0))
    expect(pool.stats().requests).toMatchObject({ started: total, inFlight: 0, queued: 0 })
  },
)
