import net from 'node:net'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import { MobilePoolError, type MobilePoolErrorCode, type Phase } from '../errors.ts'
import type { Endpoint } from './endpoint.ts'

/** A connection through a device: a socket, or a stream of the tunnel that it has dialled. */
export type DeviceStream = Duplex & { readonly bytesRead: number; readonly bytesWritten: number }

/**
 * Opens a connection to a target through a device that has dialled to the program that embeds the pool. It behaves like a socket with
 * `allowHalfOpen`. Throws `ProxyError`, whose code says what went wrong, and the signal's reason.
 */
export type Dial = (
  deviceId: string,
  target: { readonly host: string; readonly port: number },
  signal: AbortSignal,
) => Promise<DeviceStream>

/** What connections to one device need to know. */
export interface DeviceLink {
  readonly deviceId: string
  /** For messages. */
  readonly deviceName: string
  readonly endpoint: Endpoint
  /** TLS towards an https:// proxy. */
  readonly proxyTls: tls.ConnectionOptions
  /** Bounds TCP, CONNECT and TLS together, ms. */
  readonly connectTimeoutMs: number
  /** How a device of protocol `tunnel` is reached. */
  readonly dial?: Dial | undefined
}

/** A connection being made. Exactly one of the callback's arguments is set; after `cancel` it is called with an error. */
export interface PendingConnection {
  cancel(reason: Error): void
}

export type SocketCallback = (error: Error | null, socket: DeviceStream | null) => void

/**
 * Far devices need more than the 250 ms that Node gives each address of a name with several (it grew to 500 ms in Node 25).
 */
const ADDRESS_ATTEMPT_MS = 2_000
/** TCP keep-alive, so that a device that vanished is noticed on an idle socket. */
const KEEP_ALIVE_DELAY_MS = 30_000

/** Opens TCP (and TLS, for an https:// proxy) to the device. The caller owns the time limit. */
export function openDeviceSocket({ endpoint, proxyTls }: DeviceLink, onOpen: () => void): net.Socket {
  const options = {
    host: endpoint.hostname,
    port: endpoint.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
    autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
  }
  if (endpoint.protocol !== 'https') return net.connect(options, onOpen)
  const servername = net.isIP(endpoint.hostname) === 0 ? endpoint.hostname : ''
  return tls.connect({ servername, ALPNProtocols: ['http/1.1'], ...proxyTls, ...options }, onOpen)
}

/** A connection error that names the device. Its code never equals undici's `UND_ERR_SOCKET`, on which undici reconnects for ever. */
export function linkError(
  link: DeviceLink,
  code: MobilePoolErrorCode,
  phase: Phase,
  what: string,
  details: { cause?: unknown; statusCode?: number; errno?: string } = {},
): MobilePoolError {
  const errno = details.errno ?? errnoOf(details.cause)
  return new MobilePoolError(code, `device ${link.deviceName}: ${what}`, {
    ...details,
    phase,
    deviceId: link.deviceId,
    ...(errno === undefined ? {} : { errno }),
  })
}

/** The operating system's code of an error; of its first part when it is an `AggregateError` of several addresses. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) return errnoOf(error.errors[0])
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/**
 * Connects to the device's proxy for requests in absolute form.
 */
export function connectForward(link: DeviceLink, callback: SocketCallback): PendingConnection {
  let isDone = false
  const finish = (error: Error | null): void => {
    if (isDone) return
    isDone = true
    clearTimeout(timer)
    socket.off('error', onError).off('close', onClose)
    if (error === null) {
      callback(null, socket)
      return
    }
    socket.on('error', () => {}).destroy()
    callback(error, null)
  }
  const onError = (cause: Error): void =>
    finish(linkError(link, 'MP_DEVICE_CONNECT', 'connect', `cannot be reached (${errnoOf(cause) ?? cause.message})`, { cause }))
  const onClose = (): void =>
    finish(linkError(link, 'MP_DEVICE_CONNECT', 'connect', 'closed the connection at once', { errno: 'ECONNRESET' }))
  const socket = openDeviceSocket(link, () => finish(null))
  socket.on('error', onError).on('close', onClose)
  const timer = setTimeout(
    () =>
      finish(linkError(link, 'MP_DEVICE_CONNECT', 'connect', `no connection within ${link.connectTimeoutMs} ms`, { errno: 'ETIMEDOUT' })),
    link.connectTimeoutMs,
  )
  return { cancel: finish }
}
