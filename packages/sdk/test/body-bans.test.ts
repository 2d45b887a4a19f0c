import type { IncomingMessage, ServerResponse } from 'node:http'
import zlib from 'node:zlib'
import type { MobilePool, MobilePoolOptions } from '@mobilepool/sdk'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { SiteAnswer } from './servers/site.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

const CAPTCHA = `<!doctype html><title>One moment</title>${'<p>x</p>'.repeat(50)}<h1>Please solve this captcha</h1>`
const PAGE = `<!doctype html><title>Shop</title>${'<p>goods and prices</p>'.repeat(2_000)}`

const codings: Record<string, (text: string) => Buffer> = {
  identity: (text) => Buffer.from(text),
  gzip: (text) => zlib.gzipSync(text),
  deflate: (text) => zlib.deflateSync(text),
  'deflate, bare': (text) => zlib.deflateRawSync(text),
  br: (text) => zlib.brotliCompressSync(text),
  ...(typeof zlib.zstdCompressSync === 'function' ? { zstd: (text: string) => zlib.zstdCompressSync(text) } : {}),
}

/** omsk-05 and seoul-01 in front of a site, round-robin: the first request goes to omsk-05, to which the site shows something else. */
async function scene(
  toOmsk: (response: ServerResponse, request: IncomingMessage) => void,
  options: Partial<MobilePoolOptions> & { tls?: boolean; toSeoul?: SiteAnswer } = {},
) {
  const { tls = false, toSeoul, ...poolOptions } = options
  const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
  const site = await stage.site(
    (from, response, request) => {
      if (from === omsk.egress) toOmsk(response, request)
      else if (toSeoul !== undefined) toSeoul(from, response, request)
      else response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE)
    },
    { tls },
  )
  const pool = stage.pool([omsk, seoul], { ban: { body: [/captcha/i] }, ...poolOptions })
  return { pool, site, omsk, seoul, bans: collect(pool, 'ban'), retries: collect(pool, 'retry') }
}

const html = { 'content-type': 'text/html; charset=utf-8' }
const allFree = (pool: MobilePool) => pool.stats().devices.every(({ inFlight }) => inFlight === 0)
const quarantines = (pool: MobilePool) => pool.stats().devices[0]?.quarantines.length

describe.each([false, true])('tls %s', (tls) => {
  test.each(Object.keys(codings))('a ban page inside a 200, as %s, is answered by another device', async (coding) => {
    const encode = codings[coding] as (text: string) => Buffer
    const encoding = coding === 'identity' ? {} : { 'content-encoding': coding.split(',')[0] }
    const { pool, bans, retries, site, omsk, seoul } = await scene(
      (response) => response.writeHead(200, { ...html, ...encoding }).end(encode(CAPTCHA)),
      { tls, toSeoul: (_from, response) => response.writeHead(200, { ...html, ...encoding }).end(encode(PAGE)) },
    )
    for (let i = 0; i < 3; i++) {
      const response = await pool.fetch(site.url)
      // Built-in fetch knows no bare deflate and, on some Nodes, no zstd: what arrives is then compared with what was sent.
      const got = Buffer.from(await response.arrayBuffer())
      expect(got.equals(Buffer.from(PAGE)) || got.equals(encode(PAGE))).toBe(true)
    }
    expect(site.exits).toEqual([omsk.egress, seoul.egress, seoul.egress, seoul.egress])
    expect(bans).toMatchObject([{ device: 'omsk-05', rule: 'body /captcha/i', by: 'body', statusCode: 200, strikes: 1 }])
    expect(retries).toMatchObject([{ attempt: { kind: 'banned', rule: 'body /captcha/i', phase: 'body', statusCode: 200 } }])
    expect(pool.stats().devices).toMatchObject([{ bans: 1, faults: 0 }, { bans: 0 }])
  })
})

describe('what is held back', () => {
  test('is little: the head comes though the page goes on for ever, and every byte of it arrives in order', async () => {
    let writeMore = (): void => {}
    const { pool, site } = await scene(
      (response) => {
        response.writeHead(200, html)
        response.write(PAGE.slice(0, 5_000))
        writeMore = () => response.end(PAGE.slice(5_000))
      },
      { ban: { body: ['captcha'], inspect: { maxWaitMs: 60_000 } } },
    )
    const response = await pool.fetch(site.url)
    writeMore()
    expect(await response.text()).toBe(PAGE)
  })

  test('is passed on after maxWaitMs when a page comes slowly', async () => {
    let finish = (): void => {}
    const { pool, site } = await scene(
      (response) => {
        response.writeHead(200, html).write('<!doctype html>')
        finish = () => response.end('captcha')
      },
      { ban: { body: ['captcha'], inspect: { maxWaitMs: 50 } } },
    )
    const response = await pool.fetch(site.url)
    expect(response.status).toBe(200)
    finish()
    expect(await response.text()).toBe('<!doctype html>captcha')
    expect(quarantines(pool)).toBe(0)
  })

  test('is tested as far as it has come when the time is over', async () => {
    const { pool, site, bans } = await scene((response) => response.writeHead(200, html).write('a captcha and then nothing'), {
      ban: { body: ['captcha'], inspect: { maxWaitMs: 50 } },
    })
    expect(await (await pool.fetch(site.url)).text()).toBe(PAGE)
    expect(bans).toHaveLength(1)
    await eventually('the device is free', () => allFree(pool))
  })

  test('does not undo back-pressure: a page that nobody reads stops at its origin', async () => {
    let written = 0
    const { pool, site } = await scene((response) => {
      response.writeHead(200, html)
      const more = (): void => {
        while (written < 800 * 65_536) {
          written += 65_536
          if (!response.write(Buffer.alloc(65_536, 'x'))) break
        }
      }
      response.on('drain', more)
      more()
    })
    const response = await pool.fetch(site.url)
    let before = -1
    await eventually('the origin is stopped', () => {
      const isStill = written === before
      before = written
      return isStill
    })
    expect(written).toBeLessThan(400 * 65_536)
    await response.body?.cancel()
    await eventually('the device is free', () => allFree(pool))
  })

  const straight: [string, Record<string, string | number>, number, string][] = [
    ['an image', { 'content-type': 'image/png' }, 200, 'GET'],
    ['a stream of events', { 'content-type': 'text/event-stream' }, 200, 'GET'],
    ['an unknown coding', { ...html, 'content-encoding': 'x-secret' }, 200, 'GET'],
    ['several codings', { ...html, 'content-encoding': 'gzip, br' }, 200, 'GET'],
    ['a part of a page', { ...html, 'content-range': 'bytes 0-99/1000' }, 206, 'GET'],
  ]
  test.each(straight)('is nothing of %s', async (_name, headers, status, method) => {
    const { pool, site } = await scene(
      (response) => {
        response.writeHead(status, headers)
        response.write('captcha')
      },
      { ban: { body: ['captcha'], inspect: { maxWaitMs: 60_000 } } },
    )
    const abort = new AbortController()
    const response = await pool.fetch(site.url, { method, signal: abort.signal })
    expect([response.status, quarantines(pool)]).toEqual([status, 0])
    abort.abort()
    await eventually('the device is free', () => allFree(pool))
  })

  test.each([
    ['HEAD', 200, { ...html, 'content-length': '500' }],
    ['GET', 204, {}],
    ['GET', 304, html],
    ['GET', 200, { ...html, 'content-length': '0' }],
    ['GET', 200, { ...html, 'transfer-encoding': 'chunked' }],
  ] as const)('is nothing where no body comes: %s %i %j', async (method, status, headers) => {
    const { pool, site } = await scene((response) => response.writeHead(status, headers).end(), {
      ban: { body: [/^/], inspect: { maxWaitMs: 60_000 } },
    })
    const response = await pool.fetch(site.url, { method })
    expect([response.status, await response.text(), quarantines(pool)]).toEqual([status, '', 0])
  })

  test('of a site that no rule is for is nothing', async () => {
    const { pool, site } = await scene((response) => response.writeHead(200, html).write('captcha'), {
      ban: { rules: [{ name: 'theirs', body: 'captcha', hosts: ['example.com'] }], inspect: { maxWaitMs: 60_000 } },
    })
    const response = await pool.fetch(site.url)
    await response.body?.cancel()
    expect(quarantines(pool)).toBe(0)
  })
})

describe('a body that breaks off while it is held back', () => {
  const half = (response: ServerResponse): void => {
    response.writeHead(200, { ...html, 'content-length': 10_000 })
    response.write('<p>half', () => setTimeout(() => response.destroy(), 20))
  }

  test('was never begun for the caller: another device answers', async () => {
    const { pool, site, retries } = await scene(half)
    expect(await (await pool.fetch(site.url)).text()).toBe(PAGE)
    expect(retries).toMatchObject([{ attempt: { kind: 'response_broken', phase: 'body' } }])
    expect(quarantines(pool)).toBe(0)
  })

  test('of a POST is an error, and the POST is not sent twice', async () => {
    const { pool, site } = await scene(half)
    await expect(pool.fetch(site.url, { method: 'POST', body: 'x' })).rejects.toMatchObject({ code: 'MP_RESPONSE_BROKEN', phase: 'body' })
    expect(site.exits).toHaveLength(1)
  })

  test('is a ban when what came of it says so', async () => {
    const { pool, site, bans } = await scene((response) => {
      response.writeHead(200, { ...html, 'content-length': 10_000 })
      response.write('captcha', () => setTimeout(() => response.destroy(), 20))
    })
    expect(await (await pool.fetch(site.url)).text()).toBe(PAGE)
    expect(bans).toMatchObject([{ by: 'body' }])
    expect(pool.stats().devices[0]).toMatchObject({ faults: 0 })
  })

  test('after it was passed on is an error of the body, as without any rule', async () => {
    const { pool, site } = await scene((response) => {
      response.writeHead(200, { ...html, 'content-length': 100_000 })
      response.write(PAGE.slice(0, 10_000), () => setTimeout(() => response.destroy(), 20))
    })
    const response = await pool.fetch(site.url)
    await expect(response.text()).rejects.toMatchObject({ cause: { code: 'MP_RESPONSE_BROKEN' } })
    expect(site.exits).toHaveLength(1)
  })
})

test('a caller that aborts while a page is held back gets its abort, and the device is free', async () => {
  let reached = false
  const { pool, site } = await scene(
    (response) => {
      response.writeHead(200, html).write('slow')
      reached = true
    },
    { ban: { body: ['captcha'], inspect: { maxWaitMs: 60_000 } } },
  )
  const abort = new AbortController()
  const pending = pool.fetch(site.url, { signal: abort.signal })
  await eventually('the origin has begun', () => reached)
  abort.abort(new Error('enough'))
  await expect(pending).rejects.toThrow('enough')
  await eventually('the device is free', () => allFree(pool))
  expect(pool.stats().requests).toMatchObject({ aborted: 1, answered: 0, failed: 0 })
})

test('a ban page to a POST is delivered whole, not repeated, and remembered', async () => {
  const { pool, site } = await scene((response) => response.writeHead(200, html).end(CAPTCHA))
  expect(await (await pool.fetch(site.url, { method: 'POST', body: 'x' })).text()).toBe(CAPTCHA)
  expect([site.exits.length, quarantines(pool)]).toEqual([1, 1])
})

test('with methods all a ban page to a POST is repeated elsewhere', async () => {
  const { pool, site } = await scene((response) => response.writeHead(200, html).end(CAPTCHA), { retry: { methods: 'all' } })
  expect(await (await pool.fetch(site.url, { method: 'POST', body: 'x' })).text()).toBe(PAGE)
  expect(site.exits).toHaveLength(2)
})

test('when every device is shown the wall, the last wall is delivered whole', async () => {
  const { pool, site, bans } = await scene((response) => response.writeHead(200, html).end(CAPTCHA), {
    toSeoul: (_from, response) => response.writeHead(200, html).end(CAPTCHA),
  })
  expect(await (await pool.fetch(site.url)).text()).toBe(CAPTCHA)
  expect(bans.map(({ device }) => device)).toEqual(['omsk-05', 'seoul-01'])
})

test('a RegExp with /g or /y finds the same in every response', async () => {
  const sticky = /<title>One/y
  const global = /captcha/g
  global.lastIndex = 400
  const { pool, site, bans } = await scene((response) => response.writeHead(200, html).end(`captcha ${'x'.repeat(500)}`), {
    ban: { body: [global, sticky], quarantineMs: 60 },
  })
  for (let i = 0; i < 4; i++) {
    await (await pool.fetch(site.url)).text()
    await eventually('the quarantine is over', () => quarantines(pool) === 0)
  }
  expect(bans.length).toBe(site.exits.filter((exit) => exit === '127.10.5.1').length)
  expect(bans.length).toBeGreaterThan(1)
  expect(global.lastIndex).toBe(400)
})

test('a ban may be told by a header or by where a redirect leads, without holding anything back', async () => {
  const header = await scene((response) => response.writeHead(200, { 'x-wall': 'challenge' }).write('x'), {
    ban: { headers: { 'X-Wall': /^challenge$/ } },
  })
  expect(await (await header.pool.fetch(header.site.url)).text()).toBe(PAGE)
  expect(header.bans).toMatchObject([{ rule: 'header x-wall', by: 'header', statusCode: 200 }])
})

test('a redirect to a captcha is a ban, another redirect is none', async () => {
  const { pool, site, bans } = await scene(
    (response, request) => response.writeHead(302, { location: request.url === '/a' ? '/captcha?from=a' : '/b2' }).end(),
    { ban: { location: [/^\/captcha\b/] } },
  )
  expect((await pool.fetch(`${site.url}/a`, { redirect: 'manual' })).status).toBe(200)
  expect(bans).toMatchObject([{ rule: 'location /^\\/captcha\\b/', by: 'location', statusCode: 302 }])
  expect((await pool.fetch(`${site.url.replace('127.0.0.1', 'localhost')}/b`, { redirect: 'manual' })).status).toBeLessThan(400)
  expect(bans).toHaveLength(1)
})

test('a status that would be tried elsewhere anyway is a ban when its page says so', async () => {
  const { pool, site, bans } = await scene((response) => response.writeHead(503, html).end(CAPTCHA))
  expect(await (await pool.fetch(site.url)).text()).toBe(PAGE)
  expect(bans).toMatchObject([{ statusCode: 503, by: 'body' }])
  expect(pool.stats().devices[0]).toMatchObject({ faults: 0 })
})

test('a WebSocket goes through with body rules', async () => {
  const origin = await stage.origin()
  const pool = stage.pool([await stage.device('seoul-01')], { ban: { body: ['captcha'], presets: 'all' } })
  const { socket } = await new Promise<{ socket: import('node:stream').Duplex }>((resolve, reject) => {
    pool.dispatcher.dispatch(
      {
        origin: origin.url,
        path: '/',
        method: 'GET',
        upgrade: 'websocket',
        headers: { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' },
      },
      {
        onRequestStart() {},
        onRequestUpgrade: (_controller: unknown, _status: number, _headers: unknown, opened: import('node:stream').Duplex) =>
          resolve({ socket: opened }),
        onResponseError: (_controller: unknown, error: Error) => reject(error),
      },
    )
  })
  socket.destroy()
})
