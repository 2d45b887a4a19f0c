import type { ReplyCode } from '../proxy-server/index.ts'
import { type DeviceLink, linkError } from './connect-device.ts'
import { readConnectReply } from './connect-reply.ts'
import { deviceRefusal } from './device-refusal.ts'
import { deviceSays } from './device-says.ts'
import { basicAuthorization } from './endpoint.ts'
import { type HandshakeStep, type TunnelHandshake, WAIT } from './tunnel-handshake.ts'

/** CONNECT (RFC 9110, 9.3.6), with the credentials at once: to be asked for them first costs a round trip, or the connection. */
export function httpHandshake(link: DeviceLink, authority: string): TunnelHandshake {
  const authorization = basicAuthorization(link.endpoint)
  const credentials = authorization === null ? '' : `Proxy-Authorization: ${authorization}\r\n`
  return {
    question: 'CONNECT',
    opening: Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}Proxy-Connection: keep-alive\r\n\r\n`),
    read(received) {
      const reply = readConnectReply(received)
      if (reply.kind === 'incomplete') return WAIT
      if (reply.kind === 'garbage') {
        const error = linkError(link, 'MP_DEVICE_CONNECT', 'tunnel', `answered CONNECT with something that is not HTTP: ${reply.why}`)
        return { kind: 'failed', error }
      }
      const { statusCode, headers, length } = reply
      return statusCode >= 200 && statusCode < 300 ? { kind: 'open', length } : refusal(link, authority, statusCode, headers)
    },
  }
}

function refusal(link: DeviceLink, authority: string, statusCode: number, headers: Record<string, string>): HandshakeStep {
  const fail = (code: Parameters<typeof linkError>[1], what: string): HandshakeStep => ({
    kind: 'failed',
    error: linkError(link, code, 'tunnel', what, { statusCode }),
  })
  if (deviceSays(statusCode, headers) !== undefined) {
    const code = headers['x-mobilepool-error'] as ReplyCode
    return { kind: 'failed', error: deviceRefusal(link, authority, { code, statusCode }) }
  }
  if (statusCode === 407) return fail('MP_DEVICE_AUTH', 'wants other proxy credentials (407): check the user and password in its URL')
  return fail('MP_TUNNEL_REFUSED', `answered CONNECT ${authority} with ${statusCode}`)
}
