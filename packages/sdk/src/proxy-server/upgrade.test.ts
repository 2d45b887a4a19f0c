import { afterEach, expect, test } from 'vitest'
import { eventually, openTcpHandles, Rig } from './testing/rig.ts'

let rig = new Rig()
afterEach(async () => {
  await rig.stop()
  rig = new Rig()
  await eventually(() => openTcpHandles() === 0, 'no socket is left')
})

const upgrade = (port: number, more = '') =>
  `GET http://127.0.0.1:${port}/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: k\r\n${more}\r\n`

test('a WebSocket is opened and carries bytes both ways', async () => {
  let asked = ''
  const port = await rig.target((socket) => {
    socket.setEncoding('latin1')
    socket.once('data', (text: string) => {
      asked = text
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: a\r\n\r\nfirst')
      socket.on('data', (more: string) => socket.write(`<${more}>`))
    })
  })
  const { client, summary } = await rig.proxy()
  const browser = await client()
  browser.send(upgrade(port))
  await browser.until(/first$/)
  expect(browser.received).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\n/)
  expect(browser.received).toContain('Connection: Upgrade\r\nUpgrade: websocket\r\n')
  expect(asked).toContain('GET /ws HTTP/1.1\r\n')
  expect(asked).toContain('Connection: Upgrade\r\nUpgrade: websocket\r\n')
  expect(asked).toContain('Sec-WebSocket-Key: k\r\n')
  browser.send('ping')
  await browser.until(/<ping>$/)
  browser.socket.resetAndDestroy()
  expect(await summary()).toMatchObject({ kind: 'upgrade', status: 101, bytesUp: 4, bytesDown: 11 })
})

test.each([
  ['of known length', 'HTTP/1.1 403 No\r\nX-Name: Z\xfcrich\r\nContent-Length: 6\r\n\r\nno way'],
  ['in chunks', 'HTTP/1.1 403 No\r\nX-Name: Z\xfcrich\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nno way\r\n0\r\n\r\n'],
])('an upgrade that the site turns down gets the site’s answer %s', async (_, text) => {
  const port = await rig.target((socket) => void socket.once('data', () => socket.end(text, 'latin1')))
  const { client, summary } = await rig.proxy()
  const browser = await client()
  browser.send(upgrade(port))
  expect(await browser.all()).toMatch(/^HTTP\/1.1 403 No\r\nX-Name: Z\xfcrich\r\n.*Connection: close\r\n\r\nno way$/s)
  expect(await summary()).toMatchObject({ status: 403, failure: null })
})

test('a refusal that is cut is cut to the client', async () => {
  const port = await rig.target((socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\npart', () => setTimeout(() => socket.resetAndDestroy(), 20)))
  })
  const browser = await (await rig.proxy()).client()
  browser.send(upgrade(port))
  await browser.until(/part$/)
  expect(await browser.closed).toBe('reset')
})

test('an upgrade to a site that refuses the connection is a 594', async () => {
  const browser = await (await rig.proxy()).client()
  browser.send(upgrade(1))
  expect(await browser.all()).toMatch(/^HTTP\/1.1 594 /)
})

test('an upgrade with a body is refused, since what follows its head could be either', async () => {
  const browser = await (await rig.proxy()).client()
  browser.send(upgrade(1, 'Content-Length: 4\r\n'))
  expect(await browser.all()).toMatch(/^HTTP\/1.1 501 Not Implemented\r\nX-MobilePool-Error: not_implemented/)
})
