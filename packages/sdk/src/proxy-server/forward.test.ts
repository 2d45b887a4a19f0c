import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { connectDirectly, eventually, openTcpHandles, Rig, settled } from './testing/rig.ts'

let rig = new Rig()
afterEach(async () => {
  await rig.stop()
  rig = new Rig()
  await eventually(() => openTcpHandles() === 0, 'no socket is left')
})

/** A target that waits for a request's head, then does as it is told. */
const scripted = (answer: (socket: Socket, request: string) => void) =>
  rig.target((socket) => {
    let request = ''
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      const hadHead = request.includes('\r\n\r\n')
      request += text
      if (!hadHead && request.includes('\r\n\r\n')) answer(socket, request)
    })
  })

const get = (port: number, path = '/') => `GET http://127.0.0.1:${port}${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`

describe('a plain request', () => {
  test('reaches the site as it was, and so does the answer the client', async () => {
    let seen = ''
    const port = await scripted((socket, request) => {
      seen = request
      socket.end('HTTP/1.1 201 Very Created\r\nX-one: 1\r\nx-ONE: 2\r\nContent-Length: 2\r\n\r\nhi')
    })
    const { client, summary } = await rig.proxy()
    const browser = await client()
    browser.send(
      `GET http://127.0.0.1:${port}/a%7e/../b?c=%20 HTTP/1.1\r\nhOST: wrong.example\r\nx-B: 1\r\nProxy-Connection: keep-alive\r\n\r\n`,
    )
    const answer = await browser.until(/hi$/)
    expect(seen).toBe(`GET /a%7e/../b?c=%20 HTTP/1.1\r\nhOST: 127.0.0.1:${port}\r\nx-B: 1\r\nConnection: close\r\n\r\n`)
    expect(answer).toContain('HTTP/1.1 201 Very Created\r\nX-one: 1\r\nx-ONE: 2\r\nContent-Length: 2\r\n')
    expect(answer).not.toMatch(/^(via|x-forwarded-for|date):/im)
    expect(await summary()).toMatchObject({ kind: 'request', target: `127.0.0.1:${port}`, status: 201, failure: null, bytesDown: 2 })
  })

  test('keeps bytes beyond ASCII in its fields and its answer’s', async () => {
    let seen = ''
    const port = await scripted((socket, request) => {
      seen = request
      socket.write('HTTP/1.1 200 OK\r\nX-Name: Z\xfcrich \xc3\xa9\r\nContent-Length: 0\r\n\r\n', 'latin1')
    })
    const browser = await (await rig.proxy()).client()
    browser.send(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nX-Name: K\xf6ln \xc3\xbc\r\n\r\n`)
    expect(await browser.until(/\r\n\r\n$/)).toContain('X-Name: Z\xfcrich \xc3\xa9\r\n')
    expect(seen).toMatch(/X-Name: K\xf6ln \xc3\xbc\r\n/)
  })

  test('leaves the client’s connection open for the next one', async () => {
    const port = await rig.site((req, res) => res.end(`answer to ${req.url}`))
    const browser = await (await rig.proxy()).client()
    browser.send(get(port, '/1'))
    await browser.until(/answer to \/1/)
    browser.send(get(port, '/2'))
    await browser.until(/answer to \/2/)
    expect(browser.socket.destroyed).toBe(false)
  })

  test('that is pipelined behind others is answered in their order, even when its site is faster', async () => {
    const port = await rig.site((req, res) => void setTimeout(() => res.end(`[${req.url}]`), req.url === '/0' ? 50 : 0))
    const browser = await (await rig.proxy()).client()
    browser.send(Array.from({ length: 20 }, (_, i) => get(port, `/${i}`)).join(''))
    const answers = await browser.until(/\[\/19\]/)
    expect(answers.match(/\[\/\d+\]/g)).toEqual(Array.from({ length: 20 }, (_, i) => `[/${i}]`))
  })

  test.each([['POST'], ['PUT'], ['PATCH'], ['DELETE'], ['PROPFIND']])('with %s and a body of known length delivers it', async (method) => {
    const port = await rig.site((req, res) => req.pipe(res))
    const { client, closed } = await rig.proxy()
    const browser = await client()
    browser.send(`${method} http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe`)
    browser.send('llo')
    expect(await browser.until(/\r\n0\r\n\r\n$/)).toMatch(/llo/)
    await eventually(() => closed[0]?.bytesUp === 5, 'five bytes up are counted')
  })

  test('with a chunked body and trailers delivers both, and chunked', async () => {
    let seen = ''
    const port = await rig.target((socket) => {
      socket.setEncoding('latin1').on('data', (text: string) => {
        seen += text
        if (seen.endsWith('X-Sum: 9\r\n\r\n'))
          socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n')
      })
    })
    const browser = await (await rig.proxy()).client()
    browser.send(
      `POST http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n`,
    )
    expect(await browser.until(/X-Sum: 7\r\n\r\n$/)).toContain('\r\n\r\n2\r\nok\r\n0\r\n')
    expect(seen).toContain('Transfer-Encoding: chunked')
    expect(seen).toContain('\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n')
  })

  test('with POST and no body says so to the site, which would wait for one otherwise', async () => {
    let seen = ''
    const port = await scripted((socket, request) => {
      seen = request
      socket.end('HTTP/1.1 204 No Content\r\n\r\n')
    })
    const browser = await (await rig.proxy()).client()
    browser.send(`POST http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n\r\n`)
    await browser.until(/^HTTP\/1.1 204 .*\r\n\r\n$/s)
    expect(seen).toContain('Content-Length: 0')
    expect(seen).not.toContain('chunked')
  })

  test('with Expect: 100-continue hears the site’s 100, not one of ours', async () => {
    const port = await scripted((socket, request) => {
      expect(request).toContain('Expect: 100-continue')
      setTimeout(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'), 20)
      socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ngot'))
    })
    const browser = await (await rig.proxy()).client()
    browser.send(`POST http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n`)
    await browser.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/)
    browser.send('body')
    await browser.until(/got$/)
  })

  test('with Expect: 100-continue that the site turns down gets the refusal, and the connection is closed', async () => {
    const port = await scripted((socket) => socket.end('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'))
    const browser = await (await rig.proxy()).client()
    browser.send(`POST http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\nExpect: 100-continue\r\n\r\n`)
    expect(await browser.until(/\r\n\r\n$/)).toMatch(/^HTTP\/1.1 413 Too Large\r\n.*Connection: close/s)
  })

  test('that is answered before its upload is over still gets the answer', async () => {
    // It reads on until the other side ends, as careful servers do: with a reset the kernel could drop the answer.
    const port = await scripted((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nenough'))
    const browser = await (await rig.proxy()).client()
    browser.send(`POST http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n`)
    browser.send('x'.repeat(2_000_000))
    await browser.until(/enough/)
    browser.send('x'.repeat(1_000_000))
    browser.send(get(port))
    await browser.until(/enough.*enough/s)
  })

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n'],
  ])('%s with the answer %j has no body and does not wait for one', async (method, answer) => {
    const port = await scripted((socket) => socket.write(answer))
    const { client, summary } = await rig.proxy()
    const browser = await client()
    browser.send(get(port).replace('GET', method))
    await browser.until(/\r\n\r\n$/)
    expect((await summary())?.failure).toBeNull()
  })

  test('hears early hints before the answer', async () => {
    const port = await scripted((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n')
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    })
    const browser = await (await rig.proxy()).client()
    browser.send(get(port))
    expect(await browser.until(/200 OK.*\r\n\r\n$/s)).toMatch(
      /^HTTP\/1.1 103 Early Hints\r\nlink: <\/a.css>; rel=preload\r\n\r\nHTTP\/1.1 200/i,
    )
  })

  test('sees the head of a slow answer at once', async () => {
    const port = await rig.site((_, res) => res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders())
    const browser = await (await rig.proxy()).client()
    browser.send(get(port))
    await browser.until(/text\/event-stream\r\n.*\r\n\r\n$/s)
  })

  test('from an HTTP/1.0 client gets an answer that it can read', async () => {
    const port = await rig.site((_, res) => {
      res.write('chunk one, ')
      res.end('chunk two')
    })
    const browser = await (await rig.proxy()).client()
    browser.send(`GET http://127.0.0.1:${port}/ HTTP/1.0\r\n\r\n`)
    const answer = await browser.all()
    expect(answer).toMatch(/\r\n\r\nchunk one, chunk two$/)
    expect(answer).not.toMatch(/transfer-encoding/i)
  })

  test('asks a reader that stalls to wait, instead of keeping its download in memory', async () => {
    const chunk = Buffer.alloc(1 << 16)
    let sent = 0
    const port = await rig.site((_, res) => {
      const more = (): void => {
        while (sent < 256 << 20) {
          sent += chunk.length
          if (!res.write(chunk)) return
        }
        res.end()
      }
      res.on('drain', more)
      more()
    })
    const browser = await (await rig.proxy()).client()
    browser.socket.pause()
    browser.send(get(port))
    expect(await settled(() => sent, 256 << 20)).toBeLessThan(64 << 20)
  })

  test('is connected for by host and port alone', async () => {
    const port = await rig.site((_, res) => res.end('ok'))
    const targets: unknown[] = []
    const { client } = await rig.proxy({
      connect: (target) => {
        targets.push(target)
        return connectDirectly(target)
      },
    })
    const browser = await client()
    browser.send(get(port, '/path'))
    await browser.until(/ok/)
    expect(targets).toEqual([{ host: '127.0.0.1', port }])
  })

  test('puts what connect() says on the answer', async () => {
    const port = await rig.site((_, res) => res.end())
    const { client } = await rig.proxy({
      connect: async (target, context) => {
        context.replyHeaders.set('X-MobilePool-Device', context.headers['x-mobilepool-device'] === 'x' ? 'seoul-01' : 'none')
        return connectDirectly(target)
      },
    })
    const browser = await client()
    browser.send(get(port).replace('\r\n\r\n', '\r\nX-MobilePool-Device: x\r\n\r\n'))
    expect(await browser.until(/\r\n\r\n/)).toContain('X-MobilePool-Device: seoul-01\r\n')
  })
})

describe('an answer that is cut', () => {
  const heads: [string, string][] = [
    ['of known length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart'],
    ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n'],
    ['that ends with its connection', 'HTTP/1.1 200 OK\r\n\r\npart'],
  ]

  test.each(heads)('by a reset, %s, is cut to the client', async (_, text) => {
    const port = await scripted((socket) => socket.write(text, () => setTimeout(() => socket.resetAndDestroy(), 20)))
    const { client, summary } = await rig.proxy()
    const browser = await client()
    browser.send(get(port))
    await browser.until(/part/)
    expect(await browser.closed).toBe('reset')
    expect(browser.received).not.toMatch(/\r\n0\r\n/)
    expect(await summary()).toMatchObject({ status: 200, failure: { code: 'connection_reset' } })
  })

  test.each(heads.slice(0, 2))('by an early end, %s, is cut to the client', async (_, text) => {
    const port = await scripted((socket) => socket.end(text))
    const browser = await (await rig.proxy()).client()
    browser.send(get(port))
    await browser.until(/part/)
    expect(await browser.closed).toBe('reset')
    expect(browser.received).not.toMatch(/\r\n0\r\n/)
  })

  test('that has no length and ends with its connection is whole', async () => {
    const port = await scripted((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nwhole'))
    const { client, summary } = await rig.proxy()
    const browser = await client()
    browser.send(get(port))
    expect(await browser.until(/\r\n0\r\n\r\n$/)).toContain('5\r\nwhole\r\n')
    expect((await summary())?.failure).toBeNull()
  })

  test.each(heads)('because the connection to the site vanished without a word, %s, is cut to the client', async (_, text) => {
    const port = await scripted((socket) => socket.write(text))
    let vanish = (): void => {}
    const { client } = await rig.proxy({
      connect: async (target) => {
        const socket = await connectDirectly(target)
        vanish = () => socket.destroy()
        return socket
      },
    })
    const browser = await client()
    browser.send(get(port))
    await browser.until(/part/)
    vanish()
    expect(await browser.closed).toBe('reset')
    expect(browser.received).not.toMatch(/\r\n0\r\n/)
  })

  test('before its first byte is a 595, and the client’s connection lives on', async () => {
    const port = await scripted((socket) => socket.resetAndDestroy())
    const good = await rig.site((_, res) => res.end('fine'))
    const browser = await (await rig.proxy()).client()
    browser.send(get(port))
    await browser.until(/^HTTP\/1.1 595 Connection Reset\r\nX-MobilePool-Error: connection_reset\r\n.*"code":"connection_reset".*\}$/s)
    browser.send(get(good))
    await browser.until(/fine/)
  })

  test.each([
    ['garbage'],
    ['HTTP/1.1 abc\r\n\r\n'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    [`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`],
  ])('in the middle of its head, or is no HTTP (%#), is a 592', async (text) => {
    const port = await scripted((socket) => socket.end(text))
    const browser = await (await rig.proxy()).client()
    browser.send(get(port))
    await browser.until(/^HTTP\/1.1 592 Bad Response\r\nX-MobilePool-Error: bad_response\r\n/)
  })

  test('by the client’s leaving is cut to the site at once', async () => {
    let ended: unknown
    const port = await rig.target((socket) => {
      socket.on('error', (error) => {
        ended = error
      })
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart')
      socket.resume()
    })
    const { client, summary } = await rig.proxy()
    const browser = await client()
    browser.send(get(port))
    await browser.until(/part/)
    browser.socket.destroy()
    await eventually(() => ended !== undefined, 'the site sees a reset')
    expect((await summary())?.failure?.code).toBe('client_gone')
  })

  test('since the upload was cut never looks like a whole upload to the site', async () => {
    let received = ''
    let sawEnd = false
    let sawReset = false
    const port = await rig.target((socket) => {
      socket.setEncoding('latin1').on('data', (text: string) => {
        received += text
      })
      socket.on('end', () => {
        sawEnd = true
      })
      socket.on('error', () => {
        sawReset = true
      })
    })
    const browser = await (await rig.proxy()).client()
    browser.send(`POST http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`)
    await eventually(() => received.includes('hello'), 'the first part arrives')
    browser.socket.resetAndDestroy()
    await eventually(() => sawReset, 'the site sees a reset')
    expect({ sawEnd, isWhole: /\r\n0\r\n/.test(received) }).toEqual({ sawEnd: false, isWhole: false })
  })
})

test('a connection that stands only after its client has gone is not left open', async () => {
  const port = await rig.target((socket) => socket.resume())
  let goOn = (): void => {}
  const hasGone = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const { client, closed } = await rig.proxy({
    connect: async (target) => {
      await hasGone
      return connectDirectly(target)
    },
  })
  const browser = await client()
  browser.send(get(port))
  browser.socket.destroy()
  await eventually(() => closed.length === 1, 'the client’s leaving is noticed')
  goOn()
  await eventually(() => rig.targetConnections === 0, 'the late connection is closed')
})
