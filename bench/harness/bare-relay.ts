/** A process that passes every connection on to a port and reads nothing of it: the floor. `startChild(…, [port])`. */
import { connect, createServer } from 'node:net'
import { serveParent } from '../../packages/sdk/test/servers/child.ts'

const to = Number(process.argv[2])
const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
  const device = connect({ port: to, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  for (const [one, other] of [
    [client, device],
    [device, client],
  ] as const) {
    one.on('error', () => other.destroy()).pipe(other)
    one.on('close', () => other.destroy())
  }
}).listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
const calls = { port: () => (server.address() as { port: number }).port }
export type BareRelayCalls = typeof calls
serveParent(calls)
