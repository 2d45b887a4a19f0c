import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { watchLeftovers } from '../../test/chaos/leftovers.ts'
import { listen } from '../../test/servers/listen.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import type { Route } from './connections.ts'

/** Many times what `clearTimeout` needs until it is told of: far less than `idleMs`. */
const PATIENCE_MS = 5_000

test('a connection that nobody has used yet and that the far end closes leaves no timer', async () => {
  const server = await listen(createServer())
  const socket = connect(server.port, '127.0.0.1')
  await once(socket, 'connect')
  const gone: Connection[] = []
  const unexpected = (): never => {
    throw new Error('nobody asked for that')
  }
  const host: ConnectionHost = {
    idleMs: 60_000,
    maxIdleMs: 60_000,
    open: unexpected,
    onFinishing: unexpected,
    onIdle: unexpected,
    onLost: unexpected,
    onGone: (connection) => gone.push(connection),
  }
  const route: Route = { key: 'a', origin: 'https://shop.example', kind: 'tunnel', isHttp2: false, open: unexpected }
  const watch = watchLeftovers()
  try {
    const connection = new Connection(host, route, socket)
    expect(watch.left()).toEqual({ Timeout: 1 })
    const closed = once(socket, 'close')
    await server.close()
    await closed
    const until = performance.now() + PATIENCE_MS
    while (Object.keys(watch.left()).length > 0 && performance.now() < until) await nextTurn()
    expect([watch.left(), gone]).toEqual([{}, [connection]])
  } finally {
    watch.stop()
  }
})
