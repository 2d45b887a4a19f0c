import net from 'node:net'
import type { MobilePoolError } from '../errors.ts'
import { type DeviceLink, errnoOf, linkError, openDeviceSocket, type PendingConnection, type SocketCallback } from './connect-device.ts'
import { readConnectReply } from './connect-reply.ts'
import { deviceSays } from './device-says.ts'

/** Turns a tunnel into what the target speaks (TLS); called with the raw tunnel, calls back once. */
export type TunnelUpgrade = (tunnel: net.Socket, callback: SocketCallback) => void

/**
 * Opens TCP to the device, sends CONNECT, and for https the TLS handshake with the target: one time limit over all of it.
 *
 * undici's ProxyAgent does not do: it reconnects for ever to a device that drops the socket, waits minutes for a silent one,
 * and reports a refused CONNECT as if the caller had aborted (reference/sdk.md 7).
 */
export function openTunnel(
  link: DeviceLink,
  target: { readonly hostname: string; readonly port: number; readonly upgrade: TunnelUpgrade | null },
  callback: SocketCallback,
): PendingConnection {
  const authority = net.isIPv6(target.hostname) ? `[${target.hostname}]:${target.port}` : `${target.hostname}:${target.port}`
  let step: 'connect' | 'tunnel' | 'tls' = 'connect'
  let received: Buffer = Buffer.alloc(0)
  let isDone = false

  const finish = (error: Error | null, result: net.Socket | null): void => {
    if (isDone) {
      result?.destroy()
      return
    }
    isDone = true
    clearTimeout(timer)
    stopListening()
    if (error !== null) socket.on('error', () => {}).destroy()
    callback(error, result)
  }
  const fail = (error: Error): void => finish(error, null)
  const stopListening = (): void => {
    socket.off('readable', onReadable).off('error', onError).off('end', onEnd).off('close', onEnd)
  }
  const onError = (cause: Error): void =>
    fail(
      linkError(
        link,
        'MP_DEVICE_CONNECT',
        step,
        step === 'connect'
          ? `cannot be reached (${errnoOf(cause) ?? cause.message})`
          : `broke off before it answered CONNECT (${errnoOf(cause) ?? cause.message})`,
        { cause },
      ),
    )
  const onEnd = (): void =>
    fail(linkError(link, 'MP_DEVICE_CONNECT', step, 'closed the connection before it answered CONNECT', { errno: 'ECONNRESET' }))

  const onReadable = (): void => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = isDone ? null : (socket.read() as Buffer | null)) {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      const reply = readConnectReply(received)
      if (reply.kind === 'garbage') {
        fail(linkError(link, 'MP_DEVICE_CONNECT', 'tunnel', `answered CONNECT with something that is not HTTP: ${reply.why}`))
      } else if (reply.kind === 'reply') {
        if (reply.statusCode >= 200 && reply.statusCode < 300) onTunnel(received.subarray(reply.length))
        else fail(refusal(link, authority, reply.statusCode, reply.headers))
        return
      }
    }
  }

  const onTunnel = (rest: Buffer): void => {
    stopListening()
    if (rest.length > 0) socket.unshift(rest)
    if (target.upgrade === null) {
      finish(null, socket)
      return
    }
    step = 'tls'
    socket.on('error', () => {}) // the TLS socket reports it; without a listener here it would end the process
    target.upgrade(socket, (cause, secured) => {
      if (cause === null) finish(null, secured)
      else fail(linkError(link, 'MP_TARGET_TLS', 'tls', `TLS with ${authority} failed (${errnoOf(cause) ?? cause.message})`, { cause }))
    })
  }

  const socket = openDeviceSocket(link, () => {
    step = 'tunnel'
    const credentials = link.endpoint.authorization === null ? '' : `Proxy-Authorization: ${link.endpoint.authorization}\r\n`
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}Proxy-Connection: keep-alive\r\n\r\n`)
  })
  socket.on('readable', onReadable).on('error', onError).on('end', onEnd).on('close', onEnd)
  const timer = setTimeout(() => {
    const where = {
      connect: 'the device did not accept the connection',
      tunnel: 'CONNECT was not answered',
      tls: 'the TLS handshake did not end',
    }[step]
    const code = step === 'connect' ? 'MP_DEVICE_CONNECT' : 'MP_TUNNEL_TIMEOUT'
    fail(linkError(link, code, step, `no tunnel to ${authority} within ${link.connectTimeoutMs} ms: ${where}`, { errno: 'ETIMEDOUT' }))
  }, link.connectTimeoutMs)
  return { cancel: fail }
}

function refusal(link: DeviceLink, authority: string, statusCode: number, headers: Record<string, string>): MobilePoolError {
  const kind = deviceSays(statusCode, headers)?.kind
  if (kind === 'draining')
    return linkError(link, 'MP_DEVICE_DRAINING', 'tunnel', 'takes no requests now: it is about to rotate, or full', { statusCode })
  if (kind === 'device_offline') return linkError(link, 'MP_DEVICE_OFFLINE', 'tunnel', 'has no mobile connection', { statusCode })
  if (statusCode === 407)
    return linkError(link, 'MP_DEVICE_AUTH', 'tunnel', 'wants other proxy credentials (407): check the user and password in its URL', {
      statusCode,
    })
  return linkError(link, 'MP_TUNNEL_REFUSED', 'tunnel', `answered CONNECT ${authority} with ${statusCode}`, { statusCode })
}
