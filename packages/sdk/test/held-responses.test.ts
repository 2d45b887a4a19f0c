import type { MobilePool } from '@mobilepool/sdk'
import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { SiteAnswer } from './servers/site.ts'
import { Stage } from './stage.ts'

const stage = new Stage()
const html = { 'content-type': 'text/html' }

interface Controller {
  pause(): void
  resume(): void
  abort(reason?: Error): void
}

/** A handler of undici's own API that writes down what it is told, and does what the test says at each step. */
function recorder(does: Partial<Record<'start' | 'head' | 'data', (controller: Controller) => void>> = {}) {
  const log: string[] = []
  const held: { controller: Controller | null } = { controller: null }
  const chunks: Buffer[] = []
  const handler = {
    onRequestStart(controller: Controller) {
      held.controller = controller
      does.start?.(controller)
    },
    onResponseStart(controller: Controller, status: number) {
      log.push(`head ${status}`)
      if (status >= 200) does.head?.(controller)
    },
    onResponseData(controller: Controller, chunk: Buffer) {
      log.push(`data ${chunk}`)
      chunks.push(chunk)
      does.data?.(controller)
    },
    onResponseEnd(_controller: unknown, trailers: Record<string, string>) {
      log.push(`end ${JSON.stringify(trailers)}`)
    },
    onResponseError(_controller: unknown, error: Error) {
      log.push(`error ${error.message}`)
    },
  }
  return {
    log,
    chunks,
    handler,
    get controller(): Controller {
      if (held.controller === null) throw new Error('the request has not begun')
      return held.controller
    },
    isOver: () => log.some((line) => line.startsWith('end') || line.startsWith('error')),
  }
}

async function scene(answer: SiteAnswer, { maxWaitMs = 60_000, tls = false } = {}) {
  const site = await stage.site(answer, { tls })
  const pool = stage.pool([await stage.device('seoul-01')], { ban: { body: ['captcha'], inspect: { maxWaitMs } } })
  const send = (handler: object) => pool.dispatcher.dispatch({ origin: site.url, path: '/', method: 'GET' }, handler)
  return { pool, site, send }
}

const isFree = (pool: MobilePool) => pool.stats().devices.every(({ inFlight }) => inFlight === 0)
/** Lets everything that is due happen, so that what must not have happened can be seen. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 50))

test('a caller that pauses at the head gets the page when it resumes, and the end after it', async () => {
  const { send, pool } = await scene((_from, response) => response.writeHead(200, html).end('page'))
  const seen = recorder({ head: (controller) => controller.pause() })
  send(seen.handler)
  await eventually('the head is there', () => seen.log.length > 0)
  await settled()
  expect(seen.log).toEqual(['head 200'])
  expect(isFree(pool)).toBe(true)
  expect(pool.stats().requests).toMatchObject({ inFlight: 1, answered: 0 })
  seen.controller.resume()
  expect(seen.log).toEqual(['head 200', 'data page', 'end {}'])
  expect(pool.stats().requests).toMatchObject({ inFlight: 0, answered: 1 })
})

test('a caller that was paused before the head still has its page tested, and gets it when it resumes', async () => {
  const { send, pool } = await scene((_from, response) => response.writeHead(200, html).end('a captcha'))
  const seen = recorder({ start: (controller) => controller.pause() })
  send(seen.handler)
  await eventually('the head is there', () => seen.log.length > 0)
  expect(pool.stats().devices[0]).toMatchObject({ bans: 1 })
  await settled()
  expect(seen.log).toEqual(['head 200'])
  seen.controller.resume()
  expect(seen.log).toEqual(['head 200', 'data a captcha', 'end {}'])
})

test('a caller that pauses and resumes with every chunk gets them all in order', async () => {
  const size = 300_000
  const { send } = await scene((_from, response) => {
    response.writeHead(200, html)
    response.write('a'.repeat(100))
    setTimeout(() => response.end('b'.repeat(size)), 10)
  })
  let count = 0
  const seen = recorder({
    head: (controller) => {
      controller.pause()
      setImmediate(() => controller.resume())
    },
    data: (controller) => {
      controller.pause()
      // At once, and later: both are allowed.
      if (++count % 2 === 0) controller.resume()
      else setImmediate(() => controller.resume())
    },
  })
  send(seen.handler)
  await eventually('the response is over', seen.isOver)
  expect(seen.log[0]).toBe('head 200')
  expect(seen.log.at(-1)).toBe('end {}')
  expect(Buffer.concat(seen.chunks).toString()).toBe('a'.repeat(100) + 'b'.repeat(size))
  expect(count).toBe(seen.chunks.length)
})

test('a caller that aborts while it is paused on a page that is all there gets its abort', async () => {
  const { send, pool } = await scene((_from, response) => response.writeHead(200, html).end('page'))
  const seen = recorder({ head: (controller) => controller.pause() })
  send(seen.handler)
  await eventually('the page is all there', () => seen.log.length > 0 && isFree(pool))
  seen.controller.abort(new Error('enough'))
  seen.controller.resume()
  expect(seen.log).toEqual(['head 200', 'error enough'])
  expect(pool.stats().requests).toMatchObject({ inFlight: 0, aborted: 1, answered: 0 })
})

test('a caller that aborts at the head, or at the first chunk, gets nothing more', async () => {
  const { send, pool } = await scene((_from, response) => response.writeHead(200, html).end('page'))
  const abort = (controller: Controller) => controller.abort(new Error('enough'))
  const [atHead, atChunk] = [recorder({ head: abort }), recorder({ data: abort })]
  send(atHead.handler)
  await eventually('the first is over', atHead.isOver)
  send(atChunk.handler)
  await eventually('the second is over', atChunk.isOver)
  expect([atHead.log, atChunk.log]).toEqual([
    ['head 200', 'error enough'],
    ['head 200', 'data page', 'error enough'],
  ])
  await eventually('the device is free', () => isFree(pool))
})

test('the next request of a device is not disturbed by a caller that is still paused on the last one', async () => {
  const { send, pool } = await scene((_from, response) => response.writeHead(200, html).end('page'))
  const [first, second] = [recorder({ head: (controller) => controller.pause() }), recorder({ head: (controller) => controller.pause() })]
  send(first.handler)
  await eventually('the first is all there', () => first.log.length > 0 && isFree(pool))
  send(second.handler)
  await eventually('the second is all there', () => second.log.length > 0 && isFree(pool))
  first.controller.resume()
  expect([first.log, second.log]).toEqual([['head 200', 'data page', 'end {}'], ['head 200']])
  second.controller.resume()
  expect(second.log).toEqual(['head 200', 'data page', 'end {}'])
})

test('hints before the head are passed on at once, and trailers after the page', async () => {
  let finish = (): void => {}
  const answer: SiteAnswer = (_from, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    finish = () => {
      response.writeHead(200, { ...html, trailer: 'x-sum' })
      response.write('page')
      response.addTrailers({ 'x-sum': '42' })
      response.end()
    }
  }
  // Through a tunnel: the test's proxy passes on neither hints nor trailers of plain http.
  const { send } = await scene(answer, { tls: true })
  const seen = recorder()
  send(seen.handler)
  await eventually('the hint is there', () => seen.log.length > 0)
  expect(seen.log).toEqual(['head 103'])
  finish()
  await eventually('the response is over', seen.isOver)
  expect(seen.log).toEqual(['head 103', 'head 200', 'data page', 'end {"x-sum":"42"}'])
})

test('what a handler throws when the time of holding back is over ends its request, not the process', async () => {
  const boom = (): never => {
    throw new Error('boom')
  }
  for (const does of [{ head: boom }, { data: boom }]) {
    const { send, pool } = await scene((_from, response) => response.writeHead(200, html).write('slow'), { maxWaitMs: 20 })
    const seen = recorder(does)
    send(seen.handler)
    await eventually('the request is over', seen.isOver)
    expect(seen.log.at(-1)).toBe('error boom')
    await eventually('the device is free', () => isFree(pool))
    expect(pool.stats().requests).toMatchObject({ inFlight: 0, failed: 1 })
  }
})

test('what a handler throws when it resumes a page that is all there ends its request', async () => {
  const { send, pool } = await scene((_from, response) => response.writeHead(200, html).end('page'))
  const seen = recorder({
    head: (controller) => controller.pause(),
    data: () => {
      throw new Error('boom')
    },
  })
  send(seen.handler)
  await eventually('the page is all there', () => seen.log.length > 0 && isFree(pool))
  seen.controller.resume()
  expect(seen.log).toEqual(['head 200', 'data page', 'error boom'])
  expect(pool.stats().requests).toMatchObject({ inFlight: 0, failed: 1 })
})

test('a rotation while a page is held back cuts nothing from the caller: it gets the page from the device anew', async () => {
  let count = 0
  const site = await stage.site((_from, response) => {
    response.writeHead(200, html)
    if (++count === 1) response.write('half')
    else response.end('page')
  })
  const [busan, seoul] = [await stage.device('busan-03'), await stage.device('seoul-01')]
  const pool = stage.open({
    devices: [
      { id: 'busan-03', url: busan.url, rotate: async () => '127.10.3.2' },
      { id: 'seoul-01', url: seoul.url },
    ],
    balancer: 'round-robin',
    ban: { body: ['captcha'], inspect: { maxWaitMs: 60_000 } },
    rotate: { drainMs: 50 },
  })
  const pending = pool.fetch(site.url)
  await eventually('the first half is there', () => count === 1)
  const rotation = pool.rotate('busan-03')
  expect(await (await pending).text()).toBe('page')
  expect(await rotation).toMatchObject({ device: 'busan-03' })
})
