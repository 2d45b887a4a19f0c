import net from 'node:net'
import tls from 'node:tls'

/** What undici's Agent calls to get a socket. */
type Connector = (
  target: { hostname: string; protocol: string; port: string },
  callback: (error: Error | null, socket: net.Socket | null) => void,
) => void

/**
 * A connector for our own errands (the hub, a rotation URL): straight to the host, not through the pool and not through
 * whatever dispatcher the process has installed.
 */
export function directConnector({ timeoutMs, keepsProcessAlive }: { timeoutMs: number; keepsProcessAlive: boolean }): Connector {
  return ({ hostname, protocol, port }, callback) => {
    const isTls = protocol === 'https:'
    const options = { host: hostname, port: Number(port) || (isTls ? 443 : 80), noDelay: true, keepAlive: true }
    const socket: net.Socket = isTls
      ? tls.connect({ ...options, servername: net.isIP(hostname) === 0 ? hostname : '' })
      : net.connect(options)
    const finish = (error: Error | null): void => {
      clearTimeout(timer)
      socket.off('error', finish)
      if (error === null) {
        if (!keepsProcessAlive) socket.unref()
        callback(null, socket)
        return
      }
      socket.on('error', () => {}).destroy()
      callback(error, null)
    }
    const timer = setTimeout(
      () => finish(Object.assign(new Error(`no connection within ${timeoutMs} ms`), { code: 'ETIMEDOUT' })),
      timeoutMs,
    )
    socket.once('error', finish).once(isTls ? 'secureConnect' : 'connect', () => finish(null))
    if (keepsProcessAlive) return
    timer.unref()
    socket.unref()
  }
}
