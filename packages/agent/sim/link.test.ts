import { type Duplex, duplexPair } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { settle } from '../test/virtual-clock.ts'
import { LinkConnection } from './link.ts'

/** A connection over a link, the far end, and what came out of the near one. */
const connected = () => {
  const [near, far] = duplexPair()
  const link = new LinkConnection(near)
  const seen: string[] = []
  for (const event of ['end', 'error', 'close'] as const) link.on(event, () => seen.push(event))
  link.on('data', (chunk: Buffer) => seen.push(chunk.toString()))
  return { link, near, far, seen }
}

const readAll = async (stream: Duplex): Promise<string> => {
  await settle()
  return String(stream.read() ?? '')
}

describe('a connection over a simulated link', () => {
  test('carries bytes and ends both ways', async () => {
    const { link, far, seen } = connected()
    far.resume()
    link.end('up')
    far.end('down')
    await settle()
    expect(seen).toEqual(['down', 'end', 'close'])
  })

  test('passes on what it is written', async () => {
    const { link, far } = connected()
    link.write('up')
    expect(await readAll(far)).toBe('up')
  })

  test('falls silent when the link vanishes: no byte, no end, no error', async () => {
    const { link, near, far, seen } = connected()
    link.goSilent()
    far.write('lost')
    near.destroy(new Error('reset'))
    far.end()
    let isWritten = false
    link.write('lost too', () => {
      isWritten = true
    })
    await settle()
    expect({ seen, isWritten, isDestroyed: link.destroyed }).toEqual({ seen: [], isWritten: false, isDestroyed: false })
  })

  test('can be destroyed when it is silent, and takes the connection below with it', async () => {
    const { link, near, seen } = connected()
    link.goSilent()
    link.destroy()
    await settle()
    expect({ seen, isDestroyed: near.destroyed }).toEqual({ seen: ['close'], isDestroyed: true })
  })

  test('that is cut below is cut above, never ended', async () => {
    const { near, seen } = connected()
    near.destroy()
    await settle()
    expect(seen).toEqual(['error', 'close'])
  })

  test('makes the writer wait when the far end does not read', async () => {
    const { link } = connected()
    let accepted = 0
    while (link.write(Buffer.alloc(1 << 16)) && accepted < 1_000) accepted += 1
    expect(accepted).toBeLessThan(10)
  })
})
