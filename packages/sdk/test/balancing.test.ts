import { describe, expect, test } from 'vitest'
import { Stage } from './stage.ts'

const stage = new Stage()

/** The device that served each of these paths, one after another. */
async function servers(pool: ReturnType<Stage['pool']>, urls: readonly string[]): Promise<(string | null)[]> {
  const names: (string | null)[] = []
  for (const url of urls) {
    const response = await pool.fetch(url)
    await response.text()
    names.push(response.headers.get('x-mobilepool-device'))
  }
  return names
}

const cast = async () => [await stage.device('seoul-01'), await stage.device('moscow-07'), await stage.device('omsk-05')]

describe('ip-hash', () => {
  test('keeps requests together for which the option hashKey says the same', async () => {
    const origin = await stage.origin()
    const hashKey = ({ path }: { path: string | null }) => new URLSearchParams(path?.split('?')[1]).get('account')
    const pool = stage.pool(await cast(), { balancer: 'ip-hash', hashKey })
    const accounts = Array.from({ length: 12 }, (_, index) => `${origin.url}/?account=${index}`)
    const first = await servers(pool, accounts)
    expect(await servers(pool, accounts)).toEqual(first)
    expect(new Set(first).size).toBeGreaterThan(1)
    const bySite = await servers(pool, [origin.url, `${origin.url}/other`, `${origin.url}/?n=1`])
    expect(new Set(bySite).size).toBe(1)
  })

  test('a hashKey that throws, or returns no string, fails the request with a reason', async () => {
    const origin = await stage.origin()
    const device = await stage.device('seoul-01')
    const throwing = stage.pool([device], {
      hashKey: () => {
        throw new Error('no account in this URL')
      },
    })
    await expect(throwing.fetch(origin.url)).rejects.toMatchObject({ cause: { message: 'no account in this URL' } })
    const wrong = stage.pool([device], { hashKey: (() => 42) as unknown as () => string })
    await expect(wrong.fetch(origin.url)).rejects.toMatchObject({
      code: 'MP_OPTIONS',
      message: 'hashKey: the function returned number instead of a string or null',
    })
    expect(origin.seen).toEqual([])
  })
})

test('a balancer of your own chooses; what it does wrong is an event, and the request is served all the same', async () => {
  const origin = await stage.origin()
  let isBroken: boolean = false
  const pool = stage.pool(await cast(), {
    balancer: () => ({
      pick({ eligible }) {
        const [last] = eligible().sort((one, other) => (one.name < other.name ? 1 : -1))
        if (isBroken || last === undefined) throw new Error('out of luck')
        return last
      },
    }),
  })
  const errors: string[] = []
  pool.on('balancerError', ({ error }) => errors.push(error.message))
  expect(await servers(pool, [origin.url, origin.url])).toEqual(['seoul-01', 'seoul-01'])
  isBroken = true
  expect(await servers(pool, [origin.url])).toHaveLength(1)
  expect(errors).toEqual(['out of luck'])
})

test('a device at its pace hands over to the next, and its limits can be seen', async () => {
  const origin = await stage.origin()
  const pool = stage.pool(await cast(), { perDevice: { requestsPerMinute: 60, burst: 2 }, balancer: 'round-robin' })
  const names = await servers(
    pool,
    Array.from({ length: 6 }, () => origin.url),
  )
  expect(new Set(names)).toEqual(new Set(['seoul-01', 'moscow-07', 'omsk-05']))
  for (const { limits, requests } of pool.stats().devices) {
    expect(limits).toMatchObject({ concurrency: 10, requestsPerMinute: 60 })
    expect(requests).toBe(2)
  }
})
