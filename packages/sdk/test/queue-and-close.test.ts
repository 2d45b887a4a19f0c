import { AsyncLocalStorage } from 'node:async_hooks'
import diagnostics from 'node:diagnostics_channel'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { ask } from './ask-by-agent.ts'
import { eventually } from './eventually.ts'
import { Stage } from './stage.ts'

const stage = new Stage()

describe('waiting for a device', () => {
  test('no device gets more than perDevice.concurrency at a time, and everybody is served', async () => {
    const origin = await stage.origin()
    const devices = [await stage.device('seoul-01'), await stage.device('moscow-07')]
    const pool = stage.pool(devices, { perDevice: { concurrency: 3 }, balancer: 'least-connections' })
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, ...pool.stats().devices.map(({ inFlight }) => inFlight))
    }, 1)
    const all = await Promise.all(Array.from({ length: 40 }, async () => (await pool.fetch(`${origin.url}/slow/20`)).text()))
    clearInterval(watch)
    expect(new Set(all)).toEqual(new Set(['slow']))
    expect(most).toBe(3)
    expect(pool.stats()).toMatchObject({ requests: { answered: 40, retried: 0 } })
  })

  test('who comes first is served first', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01')], { perDevice: { concurrency: 1 } })
    const order: number[] = []
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        await (await request(`${origin.url}/?n=${index}`, { dispatcher: pool.dispatcher })).body.text()
        order.push(index)
      }),
    )
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('of those who wait, views with a higher priority are served first, by any client of theirs', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01')], { perDevice: { concurrency: 1 } })
    const first = pool.fetch(`${origin.url}/slow/200`).then((response) => response.text())
    await eventually('the device is busy', () => origin.seen.length === 1)
    const [urgent, later] = [pool.with({ priority: 100 }), pool.with({ priority: -100 })]
    const read = (response: Promise<Response>): Promise<string> => response.then((answer) => answer.text())
    const all = [
      read(later.fetch(`${origin.url}/later`)),
      read(pool.fetch(`${origin.url}/usual`)),
      ask(urgent, `${origin.url}/urgent-agent`),
      pool.run({ priority: 50 }, () => read(pool.fetch(`${origin.url}/soon`))),
      read(urgent.fetch(`${origin.url}/urgent`)),
      read(pool.with({ priority: 100 }).with({ priority: 10 }).fetch(`${origin.url}/inner`)),
    ]
    await eventually('all wait', () => pool.stats().requests.queued === all.length)
    await Promise.all([first, ...all])
    expect(origin.seen.map(({ url }) => url)).toEqual(['/slow/200', '/urgent-agent', '/urgent', '/soon', '/inner', '/usual', '/later'])
  })

  test('waiting ends after queue.timeoutMs, with a reason', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01')], { perDevice: { concurrency: 1 }, queue: { timeoutMs: 150 } })
    const first = pool.fetch(`${origin.url}/slow/600`)
    await expect(pool.fetch(origin.url)).rejects.toMatchObject({
      code: 'MP_QUEUE_TIMEOUT',
      message: expect.stringContaining('within 150 ms (1 device: 1 ready)'),
    })
    expect(await (await first).text()).toBe('slow')
    expect(pool.stats().requests).toMatchObject({ queued: 0, inFlight: 0 })
  })

  test('queue.max bounds how many wait', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01')], { perDevice: { concurrency: 1 }, queue: { max: 1 } })
    const served = [pool.fetch(`${origin.url}/slow/100`), pool.fetch(`${origin.url}/slow/100`)]
    await expect(pool.fetch(origin.url)).rejects.toMatchObject({ code: 'MP_QUEUE_FULL' })
    for (const response of served) expect(await (await response).text()).toBe('slow')
  })

  test('an abort leaves the queue at once', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01')], { perDevice: { concurrency: 1 } })
    const first = pool.fetch(`${origin.url}/slow/300`)
    const waiting = request(origin.url, { dispatcher: pool.dispatcher, signal: AbortSignal.timeout(50) })
    await expect(waiting).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(pool.stats().requests).toMatchObject({ queued: 0, inFlight: 1, aborted: 1 })
    expect(await (await first).text()).toBe('slow')
    expect(origin.seen).toHaveLength(1)
  })

  test("a waiting request keeps its caller's async context", async () => {
    const origin = await stage.origin()
    const device = await stage.device('omsk-05')
    const pool = stage.pool([device], { perDevice: { concurrency: 1 } })
    const context = new AsyncLocalStorage<number>()
    const seen: (number | undefined)[] = []
    const note = (): void => void seen.push(context.getStore())
    diagnostics.subscribe('undici:request:create', note)
    await Promise.all(
      [1, 2, 3, 4].map((id) =>
        context.run(id, async () => (await request(`${origin.url}/slow/20`, { dispatcher: pool.dispatcher })).body.text()),
      ),
    )
    diagnostics.unsubscribe('undici:request:create', note)
    expect(seen).toEqual([1, 2, 3, 4])
  })
})

describe('closing', () => {
  test('waits for what is under way or queued, takes nothing new, and leaves no socket', async () => {
    const origin = await stage.origin({ tls: true })
    const device = await stage.device('seoul-01')
    const pool = stage.pool([device], { perDevice: { concurrency: 1 } })
    const under = [pool.fetch(`${origin.url}/stream/200`), pool.fetch(`${origin.url}/stream/10`)]
    const texts = Promise.all(under.map(async (response) => (await response).text()))
    const closed = pool.close()
    await expect(pool.fetch(origin.url)).rejects.toMatchObject({ code: 'MP_CLOSED' })
    await closed
    expect(await texts).toEqual(['firstsecond', 'firstsecond'])
    await eventually('the device has no connection', () => device.sockets.size === 0)
    await pool.close()
  })

  test('does not wait for ever', async () => {
    const origin = await stage.origin()
    const device = await stage.device('seoul-01')
    const pool = stage.pool([device])
    const hanging = expect(pool.fetch(`${origin.url}/hang`)).rejects.toMatchObject({ code: 'MP_CLOSED' })
    await eventually('the request is there', () => origin.seen.length === 1)
    await pool.close({ timeoutMs: 100 })
    await hanging
    await eventually('the device has no connection', () => device.sockets.size === 0)
  })

  test('destroy ends everything with the error given', async () => {
    const origin = await stage.origin()
    const device = await stage.device('seoul-01')
    const pool = stage.pool([device], { perDevice: { concurrency: 1 } })
    const both = [`${origin.url}/hang`, origin.url]
      .map((url) => request(url, { dispatcher: pool.dispatcher }))
      .map((one) => expect(one).rejects.toMatchObject({ message: 'enough' }))
    await pool.destroy(new Error('enough'))
    await Promise.all(both)
    expect(pool.stats().requests).toMatchObject({ inFlight: 0, queued: 0, aborted: 2 })
  })

  test('await using closes; undici’s callback form works too', async () => {
    const origin = await stage.origin()
    const device = await stage.device('seoul-01')
    {
      await using pool = stage.pool([device])
      await (await pool.fetch(origin.url)).text()
    }
    await eventually('the device has no connection', () => device.sockets.size === 0)
    const pool = stage.pool([device])
    await new Promise<void>((resolve) => pool.dispatcher.close(() => resolve()))
    await new Promise<void>((resolve) => pool.dispatcher.destroy(null, () => resolve()))
  })
})
