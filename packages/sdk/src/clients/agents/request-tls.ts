import net from 'node:net'
import tls from 'node:tls'
import type { TunnelUpgrade } from '../../dispatch/open-tunnel.ts'
import type { AgentRequestOptions } from './agent-carrier.ts'

/** What of a request's options is about how it gets there and not about TLS. */
const NOT_TLS = [
  'host',
  'port',
  'path',
  'method',
  'headers',
  'agent',
  'socket',
  'timeout',
  'signal',
  'localAddress',
  'family',
  'lookup',
  'auth',
]

/**
 * TLS with the target inside the tunnel, by the options of the request (`ca`, `rejectUnauthorized`, `servername`, ...), which go before
 * those of the pool. Sessions are not resumed: a ticket from before a rotation would tell the site who comes with the new address.
 */
export function upgradeToTls(hostname: string, options: AgentRequestOptions, requestTls: tls.ConnectionOptions): TunnelUpgrade {
  const own = Object.fromEntries(
    Object.entries(options).filter(([name, value]) => value !== undefined && value !== null && !NOT_TLS.includes(name)),
  )
  const servername = options.servername ?? (net.isIP(hostname) === 0 ? hostname : '')
  return (tunnel, callback) => {
    const fail = (error: Error): void => callback(error, null)
    const onClose = (): void => fail(new Error('the connection was closed during the handshake'))
    const socket = tls.connect({ ALPNProtocols: ['http/1.1'], ...requestTls, ...own, host: hostname, servername, socket: tunnel }, () => {
      socket.off('error', fail).off('close', onClose)
      callback(null, socket)
    })
    socket.once('error', fail).once('close', onClose)
  }
}
