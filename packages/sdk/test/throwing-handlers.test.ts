import { Agent, interceptors, request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Stage } from './stage.ts'

const stage = new Stage()
const moments = ['onResponseStart', 'onResponseData', 'onResponseEnd', 'onRequestUpgrade'] as const

/** What a handler is told that throws at this moment. */
function toldAfter(
  dispatcher: { dispatch(options: object, handler: object): unknown },
  origin: string,
  moment: (typeof moments)[number] | 'onRequestStart',
) {
  const upgrade = moment === 'onRequestUpgrade' ? { upgrade: 'websocket', headers: { 'sec-websocket-key': 'x' } } : {}
  const errors: string[] = []
  return new Promise<string[]>((resolve) => {
    dispatcher.dispatch(
      { origin, path: '/', method: 'GET', ...upgrade },
      {
        onRequestStart() {},
        onRequestUpgrade() {},
        onResponseStart() {},
        onResponseData() {},
        onResponseEnd() {},
        onResponseError(_controller: unknown, error: Error) {
          errors.push(error.message)
          // Told twice, it would be at once.
          setImmediate(resolve, errors)
        },
        [moment]() {
          throw new Error(`thrown in ${moment}`)
        },
      },
    )
  })
}

describe.each(moments)('a handler that throws in %s', (moment) => {
  test.each([
    ['an Agent', null],
    ['a pool', {}],
    ['a pool that looks at bodies first', { ban: { body: ['no such words'] } }],
  ])('gets its own error of %s, once', async (_who, options) => {
    const origin = await stage.origin()
    const agent = new Agent()
    onTestFinished(() => agent.destroy())
    const dispatcher = options === null ? agent : stage.pool([await stage.device('seoul-01')], options).dispatcher
    expect(await toldAfter(dispatcher, origin.url, moment)).toEqual([`thrown in ${moment}`])
  })
})

describe.each(['onRequestStart', ...moments.slice(0, 3)] as const)('a handler that throws in %s', (moment) => {
  test('gets its own error of a pool with a cache, once, whether a device answers or the cache', async () => {
    const site = await stage.site((_from, response) => response.writeHead(200, { 'cache-control': 'max-age=60' }).end('kept'))
    const pool = stage.pool([await stage.device('seoul-01')], { cache: true })
    expect(await toldAfter(pool.dispatcher, site.url, moment)).toEqual([`thrown in ${moment}`])
    await (await pool.fetch(site.url)).text()
    const asked = site.exits.length
    expect(await toldAfter(pool.dispatcher, site.url, moment)).toEqual([`thrown in ${moment}`])
    expect(site.exits).toHaveLength(asked)
  })
})

test.each([
  ['an Agent', null],
  ['a pool', {}],
  ['a pool that does not retry', { retry: false } as const],
])(
  'undici’s retry interceptor over %s asks again for a status that it does not take, and fails after so many times',
  async (_who, options) => {
    const origin = await stage.origin()
    const agent = new Agent()
    onTestFinished(() => agent.destroy())
    const below = options === null ? agent : stage.pool([await stage.device('seoul-01')], { ban: false, ...options }).dispatcher
    const dispatcher = below.compose(interceptors.retry({ statusCodes: [501], maxRetries: 2, minTimeout: 1, maxTimeout: 1 }))
    await expect(request(`${origin.url}/status/501`, { dispatcher })).rejects.toMatchObject({ statusCode: 501 })
    expect(origin.seen).toHaveLength(3)
  },
)
