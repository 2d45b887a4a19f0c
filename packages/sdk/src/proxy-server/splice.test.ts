import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { splice } from './splice.ts'

const BLOCK = randomBytes(300_000)
const BLOCKS = 40
const expected = createHash('sha256')
for (let n = 0; n < BLOCKS; n++) expected.update(BLOCK)
const digest = expected.digest('hex')

const open: Socket[] = []
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy()
})

/** Two ends of one connection. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const near = connect({ port: (server.address() as { port: number }).port, host: '127.0.0.1', allowHalfOpen: true })
  const [far] = await accepted
  server.close()
  open.push(near, far)
  return [near, far]
}

const untold = { up: () => {}, down: () => {} }

async function sendAll(to: Duplex): Promise<void> {
  for (let n = 0; n < BLOCKS; n++) if (!to.write(BLOCK)) await once(to, 'drain')
  to.end()
}

/** The digest of what comes, read with a pause after each piece. */
async function digestOf(from: Duplex): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of from) {
    hash.update(chunk as Buffer)
    await nextTurn()
  }
  return hash.digest('hex')
}

it('carries bytes unchanged in both directions, to readers slower than their writers', async () => {
  const [client, clientSide] = await pair()
  const [target, targetSide] = await pair()
  let up = 0
  let down = 0
  splice(clientSide, targetSide, {
    up: (bytes) => {
      up += bytes
    },
    down: (bytes) => {
      down += bytes
    },
  })
  const [uploaded, downloaded] = await Promise.all([digestOf(target), digestOf(client), sendAll(client), sendAll(target)])
  expect([uploaded, downloaded]).toEqual([digest, digest])
  expect([up, down]).toEqual([BLOCK.length * BLOCKS, BLOCK.length * BLOCKS])
})

it('leaves what it has written to the reader of a stream that is no socket, however late he looks', async () => {
  const [client, clientSide] = await pair()
  const kept: Buffer[] = []
  const stream = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      kept.push(chunk)
      done()
    },
  })
  splice(clientSide, stream, untold)
  await Promise.all([sendAll(client), once(stream, 'finish')])
  const hash = createHash('sha256')
  for (const chunk of kept) hash.update(chunk)
  expect(hash.digest('hex')).toBe(digest)
})
