import type { MapOptions, MobilePool } from '@mobilepool/sdk'
import fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { SeenRequest } from './servers/origin.ts'
import { Stage } from './stage.ts'

const stage = new Stage()
const inFlight = (pool: MobilePool): number => pool.stats().requests.inFlight + pool.stats().requests.queued
const exitOf = async (response: Promise<Response>): Promise<string> => ((await (await response).json()) as SeenRequest).remoteAddress

/** Two devices, a pool over them, a site. */
async function scene() {
  const [seoul, busan] = [await stage.device('seoul-01'), await stage.device('busan-03')]
  return { pool: stage.pool([seoul, busan]), origin: await stage.origin() }
}

/** A pool without devices, for what sends no request. */
const idlePool = (): MobilePool => stage.open({ devices: [] })

/** Promises that the test settles in the order it likes. */
function gates(count: number) {
  return Array.from({ length: count }, () => {
    const gate = { open: () => {}, shut: (_error: unknown) => {}, promise: Promise.resolve() as Promise<void> }
    gate.promise = new Promise<void>((resolve, reject) => Object.assign(gate, { open: resolve, shut: reject }))
    gate.promise.catch(() => {})
    return gate
  })
}

describe('pool.map()', () => {
  test('fetches a list through the pool, as many at a time as it was told, results in the list’s order', async () => {
    const { pool, origin } = await scene()
    const urls = Array.from({ length: 40 }, (_, index) => `${origin.url}/${index % 3 === 0 ? 'slow/20' : ''}?id=${index}`)
    let running = 0
    let most = 0
    const results = await pool.map(
      urls,
      async (url, { fetch, index }) => {
        most = Math.max(most, ++running)
        const body = await (await fetch(url)).text()
        running--
        return { url, index, length: body.length }
      },
      { concurrency: 7 },
    )
    expect(results.map(({ url }) => url)).toEqual(urls)
    expect(results.map(({ index }) => index)).toEqual(urls.map((_, index) => index))
    expect(most).toBe(7)
    expect([...origin.ids.values()]).toEqual(urls.map(() => 1))
    expect(new Set(origin.seen.map(({ remoteAddress }) => remoteAddress)).size).toBe(2)
    expectTypeOf(results).toEqualTypeOf<{ url: string; index: number; length: number }[]>()
  })

  test('works on 10 at a time when nothing else is said', async () => {
    const work = gates(25)
    const pool = idlePool()
    const begun: number[] = []
    const mapped = pool.map(work, (gate, { index }) => {
      begun.push(index)
      return gate.promise
    })
    await eventually('ten have begun', () => begun.length === 10)
    work[3]?.open()
    await eventually('the next has begun', () => begun.length === 11)
    for (const gate of work) gate.open()
    expect(await mapped).toHaveLength(25)
  })

  test('holds for any items, any concurrency, any order of ends: results in order, never more at a time, each once', async () => {
    const pool = idlePool()
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(3), { maxLength: 40 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        fc.boolean(),
        async (turns, concurrency, isAsync, keepsGoing) => {
          let running = 0
          let pulled = 0
          let begun = 0
          const source = function* () {
            for (const turn of turns) {
              pulled++
              // Those under way, and one that waits.
              expect(pulled - begun).toBeLessThanOrEqual(1)
              yield turn
            }
          }
          const items = isAsync
            ? (async function* () {
                for (const turn of source()) yield await turn
              })()
            : source()
          const work = async (turn: number): Promise<string> => {
            begun++
            expect(++running).toBeLessThanOrEqual(concurrency)
            for (let i = 0; i < turn; i++) await Promise.resolve()
            running--
            if (keepsGoing && turn === 2) throw new Error('two')
            return `done ${turn}`
          }
          const results = keepsGoing
            ? (await pool.map(items, work, { concurrency, stopOnError: false })).map((result) =>
                result.status === 'fulfilled' ? result.value : String(result.reason),
              )
            : await pool.map(items, work, { concurrency })
          expect(results).toEqual(turns.map((turn) => (keepsGoing && turn === 2 ? 'Error: two' : `done ${turn}`)))
          expect([begun, running]).toEqual([turns.length, 0])
        },
      ),
      { numRuns: 150 },
    )
  })

  test('rejects with the first error when all that was under way is over, and leaves no request behind', async () => {
    const { pool, origin } = await scene()
    const over: number[] = []
    const begun: number[] = []
    const mapped = pool.map(
      Array.from({ length: 100 }, (_, index) => index),
      async (index, { fetch, signal }) => {
        begun.push(index)
        try {
          if (index !== 4) return await fetch(`${origin.url}/hang`)
          await eventually('the others are there', () => origin.seen.length === 4)
          throw new Error('item 4 failed')
        } finally {
          expect(signal.aborted).toBe(index !== 4)
          over.push(index)
        }
      },
      { concurrency: 5 },
    )
    await expect(mapped).rejects.toThrow('item 4 failed')
    expect([begun, [...over].sort()]).toEqual([
      [0, 1, 2, 3, 4],
      [0, 1, 2, 3, 4],
    ])
    await eventually('no request is under way', () => inFlight(pool) === 0)
  })

  test('an error ends responses, too, that items before it have returned without reading them', async () => {
    const { pool, origin } = await scene()
    const mapped = pool.map(
      [`${origin.url}/stream/600000`, ''],
      async (url, { fetch }) => {
        if (url !== '') return fetch(url)
        throw new Error('no URL')
      },
      { concurrency: 1 },
    )
    await expect(mapped).rejects.toThrow('no URL')
    await eventually('its connection is given back', () => inFlight(pool) === 0)
  })

  test.each([new Error('enough'), undefined])(
    'the caller’s signal ends it with its reason (%s), whatever stopOnError says',
    async (reason) => {
      const { pool, origin } = await scene()
      for (const stopOnError of [true, false]) {
        const abort = new AbortController()
        let over = 0
        const options = { concurrency: 3, signal: abort.signal, stopOnError } as MapOptions & { stopOnError: false }
        const before = origin.seen.length
        const work = (path: string, { fetch }: { fetch: typeof pool.fetch }) => fetch(origin.url + path).finally(() => over++)
        const mapped = pool.map(['/hang', '/hang', '/hang', '/', '/'], work, options)
        const outcome = mapped.then(
          () => 'resolved',
          (error: unknown) => error,
        )
        await eventually('three are under way', () => origin.seen.length === before + 3)
        abort.abort(reason)
        expect(await outcome).toBe(abort.signal.reason)
        expect([over, origin.seen.length]).toEqual([3, before + 3])
        await eventually('no request is under way', () => inFlight(pool) === 0)
        // Aborted before: nothing is pulled.
        const untouched = function* () {
          yield expect.unreachable()
        }
        await expect(pool.map(untouched(), () => 1, { signal: abort.signal })).rejects.toBe(abort.signal.reason)
      }
    },
  )

  test('a fetch with a signal of its own ends with either', async () => {
    const { pool, origin } = await scene()
    const results = await pool.map(
      [AbortSignal.abort(new Error('not this one')), AbortSignal.timeout(60_000)],
      async (signal, { fetch }) => (await fetch(new Request(origin.url, { signal }))).status,
      { stopOnError: false },
    )
    expect(results).toEqual([
      { status: 'rejected', reason: new Error('not this one') },
      { status: 'fulfilled', value: 200 },
    ])
  })

  test.each(['sync', 'async'])('takes from an endless %s iterable only what it has room for, and closes it at the end', async (kind) => {
    const pool = idlePool()
    let pulled = 0
    let isClosed = false
    const endless = function* () {
      try {
        for (;;) yield pulled++
      } finally {
        isClosed = true
      }
    }
    const endlessAsync = async function* () {
      yield* endless()
    }
    const work = gates(6)
    const mapped = pool.map(kind === 'sync' ? endless() : endlessAsync(), (index) => work[index]?.promise, { concurrency: 4 })
    const failed = expect(mapped).rejects.toThrow('that is enough')
    await eventually('four are under way', () => pulled >= 4)
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect(pulled).toBe(5)
    work[1]?.open()
    await eventually('the next is under way', () => pulled === 6)
    work[2]?.shut(new Error('that is enough'))
    for (const gate of work) gate.open()
    await failed
    expect([pulled, isClosed]).toEqual([6, true])
  })

  test('does not wait for an item that a source owes for ever', async () => {
    const pool = idlePool()
    const abort = new AbortController()
    let isAsked = false
    const stuck = async function* () {
      yield 1
      isAsked = true
      await new Promise(() => {})
    }
    const mapped = pool.map(stuck(), (value) => value, { signal: abort.signal })
    await eventually('it is asked for the second', () => isAsked)
    abort.abort(new Error('no patience'))
    await expect(mapped).rejects.toThrow('no patience')
  })

  test('a source that throws ends it, and what is under way', async () => {
    const { pool, origin } = await scene()
    const broken = async function* () {
      yield `${origin.url}/hang`
      await eventually('the first is there', () => origin.seen.length === 1)
      throw new Error('the list is broken')
    }
    await expect(pool.map(broken(), (url, { fetch }) => fetch(url), { stopOnError: false })).rejects.toThrow('the list is broken')
    await eventually('no request is under way', () => inFlight(pool) === 0)
  })

  test('of a view and of a session has their fetch, and pool.run holds for what it does', async () => {
    const { pool, origin } = await scene()
    const items = Array.from({ length: 12 }, (_, index) => index)
    const work = (_: number, { fetch }: { fetch: typeof pool.fetch }) => exitOf(fetch(origin.url))
    expect(new Set(await pool.map(items, work))).toEqual(new Set(['127.10.1.1', '127.10.3.1']))
    expect(new Set(await pool.with({ devices: 'busan-03' }).map(items, work))).toEqual(new Set(['127.10.3.1']))
    expect(new Set(await pool.session('a').map(items, work)).size).toBe(1)
    expect(new Set(await pool.run({ devices: 'seoul-01' }, () => pool.map(items, work, { concurrency: 2 })))).toEqual(
      new Set(['127.10.1.1']),
    )
  })

  test('types its results by stopOnError', async () => {
    const settled = await idlePool().map(new Set([1, 2]), (value) => String(value), { stopOnError: false })
    expectTypeOf(settled).toEqualTypeOf<PromiseSettledResult<string>[]>()
    expect(settled).toEqual([
      { status: 'fulfilled', value: '1' },
      { status: 'fulfilled', value: '2' },
    ])
    expect(await idlePool().map([], () => 1)).toEqual([])
  })

  test.each([
    [['http://one.example'], { concurrency: 0 }, 'concurrency: must be at least 1'],
    [['http://one.example'], { concurency: 5 }, 'concurency: there is no such option'],
    [['http://one.example'], { signal: {} }, 'signal: must be an AbortSignal'],
    [['http://one.example'], { stopOnError: 0 }, 'stopOnError: must be true or false'],
    ['http://one.example', {}, 'items: must be an iterable or an async iterable, and no string'],
    [7, {}, 'items: must be an iterable'],
  ])('map(%o, work, %o) is refused', async (items, options, message) => {
    await expect(idlePool().map(items as never, () => 1, options as never)).rejects.toMatchObject({
      code: 'MP_OPTIONS',
      message: expect.stringContaining(message),
    })
  })
})
