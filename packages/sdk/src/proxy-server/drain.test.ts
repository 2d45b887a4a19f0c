import { Agent, fetch, ProxyAgent } from 'undici'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually, openTcpHandles, Rig } from './testing/rig.ts'

let rig = new Rig()
afterEach(async () => {
  await rig.stop()
  rig = new Rig()
  await eventually(() => openTcpHandles() === 0, 'no socket is left')
})

const get = (port: number) => `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n\r\n`
const connect = (port: number) => `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\n`
const refused = /^HTTP\/1.1 503 Service Unavailable\r\nX-MobilePool-Error: draining\r\n.*Retry-After: 1\r\n.*"code":"draining"/s

describe('a draining proxy', () => {
  test('answers new requests and tunnels 503, forwards nothing of them, and serves again afterwards', async () => {
    let visits = 0
    const port = await rig.site((_, res) => {
      visits += 1
      res.end(`visit ${visits}`)
    })
    const { client, proxy } = await rig.proxy()
    proxy.refuse('draining')
    const [plain, tunnel] = [await client(), await client()]
    plain.send(get(port))
    tunnel.send(connect(port))
    await plain.until(refused)
    expect(await tunnel.all()).toMatch(refused)
    expect({ visits, refused: proxy.counters().refused, exchanges: proxy.counters().exchanges }).toEqual({
      visits: 0,
      refused: 2,
      exchanges: 0,
    })
    proxy.accept()
    plain.send(get(port))
    await plain.until(/visit 1/)
  })

  test('lets what is under way finish and says when it has', async () => {
    let finish = (): void => {}
    const port = await rig.site((_, res) => {
      res.write('first ')
      finish = () => res.end('last')
    })
    const { client, proxy } = await rig.proxy()
    const browser = await client()
    browser.send(get(port))
    await browser.until(/first/)
    proxy.refuse('draining')
    let isDrained = false
    const drained = proxy.drained().then(() => {
      isDrained = true
    })
    expect(proxy.activeCount).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(isDrained).toBe(false)
    finish()
    await browser.until(/last/)
    await drained
    expect(proxy.activeCount).toBe(0)
  })

  test('with nothing under way is drained at once, idle connections or not', async () => {
    const { client, proxy } = await rig.proxy()
    await client()
    await eventually(() => proxy.counters().openConnections === 1, 'the client is connected')
    await proxy.drained()
  })
})

describe('destroyConnections()', () => {
  test('cuts answers and tunnels with a reset, tells those without a first byte, and leaves idle clients alone', async () => {
    const port = await rig.site((req, res) => {
      if (req.url === '/begun') res.write('part')
    })
    const { client, proxy, closed } = await rig.proxy()
    const [begun, waiting, tunnel, idle] = [await client(), await client(), await client(), await client()]
    begun.send(get(port).replace('/ ', '/begun '))
    waiting.send(get(port))
    tunnel.send(connect(port))
    await Promise.all([
      begun.until(/part/),
      tunnel.until(/200/),
      eventually(() => proxy.activeCount === 3 && rig.targetConnections === 3, 'all under way'),
    ])
    expect(proxy.destroyConnections()).toBe(3)
    expect(await begun.closed).toBe('reset')
    expect(await tunnel.closed).toBe('reset')
    await waiting.until(/^HTTP\/1.1 595 Connection Reset\r\nX-MobilePool-Error: connection_reset/)
    expect(idle.socket.destroyed).toBe(false)
    await eventually(() => rig.targetConnections === 0, 'the site’s connections are closed')
    await proxy.drained()
    expect(closed.map(({ failure }) => failure?.code)).toEqual(['connection_reset', 'connection_reset', 'connection_reset'])
  })
})

test('close() ends everything, also connections whose site never answers', async () => {
  const port = await rig.site(() => {})
  const { client, proxy } = await rig.proxy()
  const browser = await client()
  browser.send(get(port))
  await eventually(() => rig.targetConnections === 1, 'the request is under way')
  await proxy.close()
  await browser.closed
  await eventually(() => rig.targetConnections === 0, 'the site’s connection is closed')
})

describe('undici’s ProxyAgent', () => {
  test.each([[true], [false]])('(tunnel: %s) fetches 200 pages, each answered with its own', async (proxyTunnel) => {
    const port = await rig.site((req, res) => res.end(`page ${req.url}`))
    const { port: proxyPort, proxy } = await rig.proxy()
    const dispatcher = new ProxyAgent({ uri: `http://127.0.0.1:${proxyPort}`, proxyTunnel })
    const urls = Array.from({ length: 200 }, (_, i) => `/${i}`)
    const pages = await Promise.all(urls.map(async (url) => (await fetch(`http://127.0.0.1:${port}${url}`, { dispatcher })).text()))
    expect(pages).toEqual(urls.map((url) => `page ${url}`))
    await dispatcher.close()
    expect(proxy.counters().failed).toBe(0)
  })
})

test('the site’s own connection handling is not the client’s business', async () => {
  const port = await rig.site((_, res) => res.setHeader('connection', 'close').end('ok'))
  const { port: proxyPort } = await rig.proxy()
  const dispatcher = new Agent({ connections: 1 })
  const answer = await dispatcher.request({ origin: `http://127.0.0.1:${proxyPort}`, path: `http://127.0.0.1:${port}/`, method: 'GET' })
  await answer.body.dump()
  expect(answer.headers.connection).toBe('keep-alive')
  await dispatcher.close()
})
