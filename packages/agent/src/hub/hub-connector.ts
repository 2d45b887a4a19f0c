import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ProxyError } from '@mobilepool/sdk/proxy-server'
import type { buildConnector } from 'undici'
import type { Egress } from '../egress/egress.ts'

/** TCP and TLS together. */
const CONNECT_TIMEOUT_MS = 10_000

/** Connects undici to the hub by the device's own egress: the same path as proxied traffic, or none. */
export function hubConnector(egress: Egress): buildConnector.connector {
  return (options, callback) => {
    const isTls = options.protocol === 'https:'
    const port = Number(options.port) || (isTls ? 443 : 80)
    const open = async (): Promise<Socket> => {
      const signal = AbortSignal.timeout(CONNECT_TIMEOUT_MS)
      const host = options.hostname.replace(/^\[|\]$/g, '')
      const connection = await egress.open({ host, port }, 'agent', signal)
      // undici wants a socket, and uses of it what every duplex stream has.
      if (!isTls) return connection as Socket
      return new Promise((resolve, reject) => {
        const secure = connectTls({ socket: connection, servername: options.servername ?? host, ALPNProtocols: ['http/1.1'] })
        const giveUp = (): void => void secure.destroy(new ProxyError('connect_timeout', 'The TLS handshake took too long.'))
        signal.addEventListener('abort', giveUp)
        secure.once('error', reject)
        secure.once('secureConnect', () => {
          signal.removeEventListener('abort', giveUp)
          secure.off('error', reject)
          resolve(secure)
        })
      })
    }
    open().then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
    )
  }
}
