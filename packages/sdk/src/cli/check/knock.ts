import tls from 'node:tls'
import { connectForward, type DeviceLink, type DeviceStream } from '../../dispatch/connect-device.ts'
import { parseEndpoint } from '../../dispatch/endpoint.ts'
import { openTunnel } from '../../dispatch/open-tunnel.ts'
import { MobilePoolError } from '../../errors.ts'

/** What came of trying to connect. */
export type Knock =
  | { readonly isOpen: true; readonly socket: DeviceStream; readonly durationMs: number }
  | { readonly isOpen: false; readonly error: MobilePoolError; readonly durationMs: number }

/** Where a tunnel should lead. */
export interface TunnelEnd {
  readonly hostname: string
  readonly port: number
  /** TLS with it inside the tunnel. */
  readonly isTls: boolean
}

/** How to reach a proxy. `shown` stands for it in messages. */
export function linkTo(proxyUrl: string, shown: string, timeoutMs: number): DeviceLink {
  return { deviceId: shown, deviceName: shown, endpoint: parseEndpoint(proxyUrl), proxyTls: {}, connectTimeoutMs: timeoutMs }
}

/** Connects to the proxy itself: TCP, and TLS where it speaks that. */
export const knockAtProxy = (link: DeviceLink): Promise<Knock> => knock((done) => void connectForward(link, done))

/** Opens a tunnel through the proxy. */
export const knockThrough = (link: DeviceLink, { hostname, port, isTls }: TunnelEnd): Promise<Knock> =>
  knock((done) => {
    const upgrade = (socket: DeviceStream, secured: (error: Error | null, socket: DeviceStream | null) => void): void => {
      const servername = /^[\d.]+$|:/.test(hostname) ? '' : hostname
      const tlsSocket = tls.connect({ socket, servername, host: hostname, ALPNProtocols: ['http/1.1'] }, () => secured(null, tlsSocket))
      tlsSocket.once('error', (error) => secured(error, null))
    }
    openTunnel(link, { hostname, port, upgrade: isTls ? upgrade : null }, done)
  })

/** What an error says without the device's name before it, which stands in the first column already. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message.replace(/^device \S+: /, '') : String(error))

function knock(open: (done: (error: Error | null, socket: DeviceStream | null) => void) => void): Promise<Knock> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) =>
    open((error, socket) => {
      const durationMs = Math.round(performance.now() - startedAt)
      if (socket !== null) resolve({ isOpen: true, socket: socket.on('error', () => {}), durationMs })
      else if (error instanceof MobilePoolError) resolve({ isOpen: false, error, durationMs })
      else reject(error ?? new Error('neither a connection nor an error'))
    }),
  )
}
