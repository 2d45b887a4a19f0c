import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { ProxyError } from '@mobilepool/sdk/proxy-server'
import type { buildConnector } from 'undici'
import type { Egress } from '../egress/egress.ts'

/** TCP and TLS together. */
const CONNECT_TIMEOUT_MS = 10_000

/** Where the hub is. */
export interface HubPlace {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  /** The name in its certificate, where that is another than `host`. */
  readonly servername?: string | undefined
}

/** Opens a connection to the hub by the device's own egress: the same path as proxied traffic, or none. */
export async function connectToHub(egress: Pick<Egress, 'open'>, place: HubPlace, outer?: AbortSignal): Promise<Duplex> {
  const timeout = AbortSignal.timeout(CONNECT_TIMEOUT_MS)
  const signal = outer ? AbortSignal.any([timeout, outer]) : timeout
  const { host, port, isTls, servername } = place
  const connection = await egress.open({ host, port }, 'agent', signal)
  if (!isTls) return connection
  const name = servername ?? host
  return new Promise((resolve, reject) => {
    // An address is no server name (RFC 6066, 3), and is looked for in the certificate all the same.
    const secure = connectTls({ socket: connection, host: name, servername: isIP(name) === 0 ? name : '', ALPNProtocols: ['http/1.1'] })
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

/** Connects undici to the hub by the device's own egress. */
export function hubConnector(egress: Pick<Egress, 'open'>): buildConnector.connector {
  return (options, callback) => {
    const isTls = options.protocol === 'https:'
    const port = Number(options.port) || (isTls ? 443 : 80)
    const host = options.hostname.replace(/^\[|\]$/g, '')
    connectToHub(egress, { host, port, isTls, servername: options.servername ?? undefined }).then(
      // undici wants a socket, and uses of it what every duplex stream has.
      (socket) => callback(null, socket as Socket),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
    )
  }
}
