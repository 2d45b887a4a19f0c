import type { Duplex } from 'node:stream'
import type { Exchange } from './exchange.ts'
import { ProxyError } from './proxy-error.ts'

/**
 * Watches a client's connection while its tunnel is being opened. Nobody reads from it then, so the end of a client that has gone away
 * would be seen only once the tunnel stands. What it sends early stays unread; an end behind that is seen by whoever reads it.
 */
export async function whileWatched<User, T>(socket: Duplex, exchange: Exchange<User>, opening: Promise<T>): Promise<T> {
  const look = (): void => {
    if (socket.readableLength === 0) socket.read()
  }
  const onEnd = (): void => exchange.fail(new ProxyError('client_gone', 'The client closed its connection before its tunnel stood.'))
  socket.on('readable', look)
  socket.on('end', onEnd)
  try {
    return await opening
  } finally {
    socket.off('readable', look)
    socket.off('end', onEnd)
  }
}
