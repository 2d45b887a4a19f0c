import net from 'node:net'
import {
  type DeviceLink,
  type DeviceStream,
  errnoOf,
  linkError,
  openDeviceSocket,
  type PendingConnection,
  type SocketCallback,
} from './connect-device.ts'
import { dialDevice } from './dial-device.ts'
import { httpHandshake } from './http-handshake.ts'
import { socksHandshake } from './socks-handshake.ts'

/** Turns a tunnel into what the target speaks (TLS); called with the raw tunnel, calls back once. */
export type TunnelUpgrade = (tunnel: DeviceStream, callback: SocketCallback) => void

/** Where a tunnel leads. */
export interface TunnelTarget {
  /** A name, or an address without brackets. */
  readonly hostname: string
  readonly port: number
  /** Null: the raw tunnel is wanted. */
  readonly upgrade: TunnelUpgrade | null
}

/**
 * Opens TCP to the device, asks its proxy for a tunnel (CONNECT, or SOCKS5), and for https does the TLS handshake with the target:
 * one time limit over all of it. Bytes that came with the proxy's answer are the first of the tunnel.
 *
 * undici's ProxyAgent does not do: it reconnects for ever to a device that drops the socket, waits minutes for a silent one,
 * and reports a refused CONNECT as if the caller had aborted (reference/sdk.md 7).
 */
export function openTunnel(link: DeviceLink, target: TunnelTarget, callback: SocketCallback): PendingConnection {
  if (link.dial !== undefined && link.endpoint.protocol === 'tunnel') return dialDevice(link, link.dial, target, callback)
  const authority = net.isIPv6(target.hostname) ? `[${target.hostname}]:${target.port}` : `${target.hostname}:${target.port}`
  const handshake = link.endpoint.protocol === 'socks5' ? socksHandshake(link, target) : httpHandshake(link, authority)
  let step: 'connect' | 'tunnel' | 'tls' = 'connect'
  let received: Buffer = Buffer.alloc(0)
  let isDone = false

  const finish = (error: Error | null, result: DeviceStream | null): void => {
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
          : `broke off before it answered ${handshake.question} (${errnoOf(cause) ?? cause.message})`,
        { cause },
      ),
    )
  const onEnd = (): void =>
    fail(
      linkError(link, 'MP_DEVICE_CONNECT', step, `closed the connection before it answered ${handshake.question}`, {
        errno: 'ECONNRESET',
      }),
    )

  const onReadable = (): void => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = isDone ? null : (socket.read() as Buffer | null)) {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      if (!advance()) return
    }
  }

  /** Takes the handshake as far as what has come allows. False: it is over. */
  const advance = (): boolean => {
    for (;;) {
      const next = handshake.read(received)
      if (next.kind === 'wait') return true
      if (next.kind === 'failed') {
        fail(next.error)
        return false
      }
      received = received.subarray(next.length)
      if (next.kind === 'open') {
        onTunnel(received)
        return false
      }
      socket.write(next.bytes)
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
    socket.write(handshake.opening)
  })
  socket.on('readable', onReadable).on('error', onError).on('end', onEnd).on('close', onEnd)
  const timer = setTimeout(() => {
    const where = {
      connect: 'the device did not accept the connection',
      tunnel: `${handshake.question} was not answered`,
      tls: 'the TLS handshake did not end',
    }[step]
    const code = step === 'connect' ? 'MP_DEVICE_CONNECT' : 'MP_TUNNEL_TIMEOUT'
    fail(linkError(link, code, step, `no tunnel to ${authority} within ${link.connectTimeoutMs} ms: ${where}`, { errno: 'ETIMEDOUT' }))
  }, link.connectTimeoutMs)
  return { cancel: fail }
}
