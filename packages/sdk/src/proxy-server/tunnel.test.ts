import { createHash, randomBytes } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { ProxyError } from './proxy-error.ts'
import { connectDirectly, eventually, openTcpHandles, Rig, settled } from './testing/rig.ts'

let rig = new Rig()
afterEach(async () => {
  await rig.stop()
  rig = new Rig()
  await eventually(() => openTcpHandles() === 0, 'no socket is left')
})

const ask = (port: number, host = '127.0.0.1') => `CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`
const stands = /^HTTP\/1.1 200 Connection established\r\n\r\n/

describe('a tunnel', () => {
  test('carries bytes both ways, those sent before it stood included', async () => {
    const port = await rig.target((socket) => socket.pipe(socket))
    const { client, summary, proxy } = await rig.proxy()
    const browser = await client()
    browser.send(`${ask(port)}early `)
    await browser.until(/early $/)
    browser.send('late')
    await browser.until(/early late$/)
    expect(browser.received).toMatch(stands)
    expect(proxy.counters()).toMatchObject({ exchanges: 1, bytesUp: 10, bytesDown: 10 })
    browser.socket.end()
    expect(await browser.closed).toBe('end')
    expect(await summary()).toMatchObject({ kind: 'tunnel', status: 200, failure: null, bytesUp: 10, bytesDown: 10 })
  })

  test('passes on what the target says first', async () => {
    const port = await rig.target((socket) => socket.write('220 hello\r\n'))
    const browser = await (await rig.proxy()).client()
    browser.send(ask(port))
    await browser.until(/\r\n\r\n220 hello\r\n$/)
  })

  test('that the client half-closes still brings the answer', async () => {
    const port = await rig.target((socket) => {
      let asked = ''
      socket.setEncoding('latin1').on('data', (text: string) => {
        asked += text
      })
      socket.on('end', () => setTimeout(() => socket.end(`you said ${asked}`), 20))
    })
    const { client, summary } = await rig.proxy()
    const browser = await client()
    browser.send(ask(port))
    await browser.until(stands)
    browser.socket.end('everything')
    expect(await browser.all()).toMatch(/you said everything$/)
    expect((await summary())?.failure).toBeNull()
  })

  test('that the target half-closes still takes what the client sends', async () => {
    let received = ''
    const port = await rig.target((socket) => {
      socket.end('bye')
      socket.setEncoding('latin1').on('data', (text: string) => {
        received += text
      })
    })
    const browser = await (await rig.proxy()).client({ halfOpen: true })
    browser.send(ask(port))
    expect(await browser.all()).toMatch(/bye$/)
    browser.socket.end('one more thing')
    await eventually(() => received === 'one more thing', 'the rest arrives')
  })

  test('that the target resets is reset to the client, never ended', async () => {
    const port = await rig.target((socket) => void socket.on('data', () => socket.write('part', () => socket.resetAndDestroy())))
    const { client, summary } = await rig.proxy()
    const browser = await client()
    browser.send(ask(port))
    await browser.until(stands)
    browser.send('go')
    expect(await browser.closed).toBe('reset')
    expect((await summary())?.failure?.code).toBe('connection_reset')
  })

  test('that the client resets is reset to the target, never ended', async () => {
    let ending = ''
    const port = await rig.target((socket) => {
      socket.on('end', () => {
        ending ||= 'end'
      })
      socket.on('error', () => {
        ending ||= 'reset'
      })
      socket.resume()
    })
    const { client, summary } = await rig.proxy()
    const browser = await client()
    browser.send(ask(port))
    await browser.until(stands)
    browser.send('half of someth')
    browser.socket.resetAndDestroy()
    await eventually(() => ending !== '', 'the target notices')
    expect(ending).toBe('reset')
    expect((await summary())?.failure?.code).toBe('client_gone')
  })

  test('brings 32 MB through unharmed while its reader dawdles', async () => {
    const blob = randomBytes(32 << 20)
    const port = await rig.target((socket) => socket.end(blob))
    const { client } = await rig.proxy()
    const browser = await client()
    const hash = createHash('sha256')
    let bytes = 0
    browser.send(ask(port))
    await browser.until(stands)
    let rest = browser.received.replace(stands, '')
    browser.socket.on('data', (text: string) => {
      hash.update(rest + text, 'latin1')
      bytes += rest.length + text.length
      rest = ''
      browser.received = ''
      browser.socket.pause()
      setImmediate(() => browser.socket.resume())
    })
    expect(await browser.closed).toBe('end')
    expect(bytes).toBe(blob.length)
    expect(hash.digest('hex')).toBe(createHash('sha256').update(blob).digest('hex'))
  })

  test('asks a reader that stalls to wait, instead of keeping its download in memory', async () => {
    const chunk = Buffer.alloc(1 << 16)
    let sent = 0
    const port = await rig.target((socket) => {
      const more = (): void => {
        while (sent < 256 << 20) {
          sent += chunk.length
          if (!socket.write(chunk)) return
        }
      }
      socket.on('drain', more)
      more()
    })
    const browser = await (await rig.proxy()).client()
    browser.send(ask(port))
    await browser.until(stands)
    browser.socket.pause()
    expect(await settled(() => sent, 256 << 20)).toBeLessThan(64 << 20)
  })
})

describe('a tunnel that cannot be built', () => {
  const answer = async (options: Parameters<Rig['proxy']>[0], request: string): Promise<string> => {
    const browser = await (await rig.proxy(options)).client()
    browser.send(request)
    return browser.all()
  }

  test('because the target refuses is a 594', async () => {
    const text = await answer({}, ask(1))
    expect(text).toMatch(/^HTTP\/1.1 594 Connection Refused\r\nX-MobilePool-Error: connection_refused\r\n/)
    expect(text).toContain('Content-Type: application/problem+json\r\n')
    expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toMatchObject({ status: 594, code: 'connection_refused' })
  })

  test.each([
    ['ENOTFOUND', 593, 'dns_failed'],
    ['ECONNRESET', 595, 'connection_reset'],
    ['EADDRNOTAVAIL', 503, 'offline'],
  ])('because of %s is a %i', async (code, status, error) => {
    const text = await answer({ connect: () => Promise.reject(Object.assign(new Error('x'), { code })) }, ask(80))
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} .*\r\nX-MobilePool-Error: ${error}\r\n`))
  })

  test('because connect() refuses the target says what connect() says', async () => {
    const refuse = () => Promise.reject(new ProxyError('target_refused', 'Private addresses are not allowed.'))
    expect(await answer({ connect: refuse }, ask(80, '10.0.0.1'))).toMatch(
      /^HTTP\/1.1 599 Target Refused\r\n.*Private addresses are not allowed/s,
    )
  })

  test('in time is a 504, and a connection that comes later is closed', async () => {
    const port = await rig.target((socket) => socket.resume())
    let late: Promise<unknown> | null = null
    let goOn = (): void => {}
    const held = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const text = await answer(
      {
        limits: { connectTimeoutMs: 50 },
        connect: (target, { signal }) => {
          const connecting = held.then(() => connectDirectly(target))
          late = connecting
          expect(signal.aborted).toBe(false)
          return connecting
        },
      },
      ask(port),
    )
    expect(text).toMatch(/^HTTP\/1.1 504 Gateway Timeout\r\nX-MobilePool-Error: connect_timeout\r\n/)
    goOn()
    await late
    await eventually(() => rig.targetConnections === 0, 'the late connection is closed')
  })

  test.each([['CONNECT'], ['GET']])('because the connection was lost as soon as it stood is a 595 (%s)', async (method) => {
    const port = await rig.target((socket) => socket.resume())
    const connectAndLose = async (target: { host: string; port: number }) => (await connectDirectly(target)).destroy()
    const browser = await (await rig.proxy({ connect: connectAndLose })).client()
    browser.send(method === 'CONNECT' ? ask(port) : `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n\r\n`)
    await browser.until(/^HTTP\/1.1 595 Connection Reset\r\nX-MobilePool-Error: connection_reset\r\n/)
  })

  test('since the client has gone tells connect() to stop', async () => {
    let stopped = false
    const { client } = await rig.proxy({
      connect: (_, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            stopped = true
            reject(new Error('stopped'))
          })
        }),
    })
    const browser = await client()
    browser.send(ask(80))
    await new Promise((resolve) => setImmediate(resolve))
    browser.socket.resetAndDestroy()
    await eventually(() => stopped, 'connect() is told')
  })
})

test('a tunnel on which nothing happens is closed after the idle time-out, a busy one is not', async () => {
  const port = await rig.target((socket) => socket.pipe(socket))
  const { client, summary } = await rig.proxy({ limits: { idleTimeoutMs: 400 } })
  const [idle, busy] = [await client(), await client()]
  idle.send(ask(port))
  busy.send(ask(port))
  await Promise.all([idle.until(stands), busy.until(stands)])
  const ticking = setInterval(() => busy.send('.'), 50)
  expect(await idle.closed).toBe('reset')
  expect(busy.socket.destroyed).toBe(false)
  clearInterval(ticking)
  expect((await summary())?.failure?.code).toBe('idle_timeout')
})
