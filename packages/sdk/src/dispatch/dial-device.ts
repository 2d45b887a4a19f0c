import { isIPv6 } from 'node:net'
import { MobilePoolError } from '../errors.ts'
import { ProxyError, type ReplyCode, replyStatuses } from '../proxy-server/index.ts'
import {
  type DeviceLink,
  type DeviceStream,
  type Dial,
  errnoOf,
  linkError,
  type PendingConnection,
  type SocketCallback,
} from './connect-device.ts'
import { deviceRefusal } from './device-refusal.ts'
import type { TunnelTarget } from './open-tunnel.ts'

/**
 * As `openTunnel`, through a device that has dialled to us: nothing is connected to, no handshake is spoken, and the device says itself why
 * it could not connect.
 */
export function dialDevice(link: DeviceLink, dial: Dial, target: TunnelTarget, callback: SocketCallback): PendingConnection {
  const { hostname, port, upgrade } = target
  const authority = isIPv6(hostname) ? `[${hostname}]:${port}` : `${hostname}:${port}`
  const gone = new AbortController()
  let step: 'tunnel' | 'tls' = 'tunnel'
  let raw: DeviceStream | null = null
  let isDone = false

  const finish = (error: Error | null, result: DeviceStream | null): void => {
    if (isDone) {
      result?.on('error', () => {}).destroy()
      return
    }
    isDone = true
    clearTimeout(timer)
    if (error !== null) {
      raw?.on('error', () => {}).destroy()
      gone.abort(error)
    }
    callback(error, result)
  }
  const fail = (error: Error): void => finish(error, null)
  const dropped = (): void =>
    fail(linkError(link, 'MP_DEVICE_CONNECT', step, 'lost the connection as soon as it stood', { errno: 'ECONNRESET' }))

  const timer = setTimeout(() => {
    const where = step === 'tunnel' ? 'the device did not say whether it connects' : 'the TLS handshake did not end'
    const what = `no tunnel to ${authority} within ${link.connectTimeoutMs} ms: ${where}`
    fail(linkError(link, 'MP_TUNNEL_TIMEOUT', step, what, { errno: 'ETIMEDOUT' }))
  }, link.connectTimeoutMs)

  dial(link.deviceId, { host: hostname, port }, gone.signal).then(
    (stream) => {
      if (isDone) {
        stream.on('error', () => {}).destroy()
        return
      }
      raw = stream
      if (stream.destroyed) dropped()
      else if (upgrade === null) finish(null, stream)
      else {
        step = 'tls'
        stream.on('error', () => {}) // the TLS stream reports it; without a listener here it would end the process
        upgrade(stream, (cause, secured) => {
          if (cause === null) finish(null, secured)
          else fail(linkError(link, 'MP_TARGET_TLS', 'tls', `TLS with ${authority} failed (${errnoOf(cause) ?? cause.message})`, { cause }))
        })
      }
    },
    (cause: unknown) => fail(cause instanceof MobilePoolError ? cause : refusalOf(link, authority, cause)),
  )
  return { cancel: fail }
}

function refusalOf(link: DeviceLink, authority: string, cause: unknown): MobilePoolError {
  if (cause instanceof ProxyError && isReplyCode(cause.code))
    return deviceRefusal(link, authority, { code: cause.code, statusCode: replyStatuses[cause.code].status, detail: cause.message })
  return linkError(link, 'MP_DEVICE_CONNECT', 'connect', `cannot be reached (${errnoOf(cause) ?? String(cause)})`, { cause })
}

const isReplyCode = (code: string): code is ReplyCode => Object.hasOwn(replyStatuses, code)
