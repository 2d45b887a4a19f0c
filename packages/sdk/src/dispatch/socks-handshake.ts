import net from 'node:net'
import type { MobilePoolErrorCode, Phase } from '../errors.ts'
import { type DeviceLink, linkError } from './connect-device.ts'
import { type HandshakeStep, type TunnelHandshake, WAIT } from './tunnel-handshake.ts'

const VERSION = 5
/** RFC 1928, 3. */
const NO_AUTH = 0x00
const USER_PASSWORD = 0x02
const NONE_ACCEPTABLE = 0xff
/** Version of the user/password exchange (RFC 1929, 2). */
const AUTH_VERSION = 1
/** RFC 1928, 4 and 5. */
const CONNECT = 0x01
const ADDRESS_TYPES = { ipv4: 0x01, name: 0x03, ipv6: 0x04 } as const
const LONGEST_NAME = 255

/**
 * Replies to CONNECT other than 0 (RFC 1928, 6): what went wrong, as the operating system would have named it. All but "command not
 * supported" may be the target's doing as well as the device's: what another device gets for the same target tells which.
 */
const replies: Readonly<Record<number, { readonly what: string; readonly errno?: string; readonly code?: MobilePoolErrorCode }>> = {
  1: { what: 'general failure' },
  2: { what: 'its rules do not allow that target', errno: 'EACCES' },
  3: { what: 'the network is unreachable', errno: 'ENETUNREACH' },
  4: { what: 'the target is unreachable', errno: 'EHOSTUNREACH' },
  5: { what: 'the target refused the connection', errno: 'ECONNREFUSED' },
  6: { what: 'the target did not answer in time (TTL expired)', errno: 'ETIMEDOUT' },
  7: { what: 'it cannot make connections for others (command not supported)', code: 'MP_DEVICE_CONNECT' },
  8: { what: 'it cannot reach addresses of that kind', errno: 'EAFNOSUPPORT' },
}

/**
 * SOCKS5 (RFC 1928) with user and password (RFC 1929) where the device's URL has them. A target's name goes to the device as it is,
 * so that it is resolved where the exit is and our own DNS learns nothing of it.
 */
export function socksHandshake(link: DeviceLink, target: { readonly hostname: string; readonly port: number }): TunnelHandshake {
  const { credentials } = link.endpoint
  const at = target.hostname.includes(':') ? `[${target.hostname}]:${target.port}` : `${target.hostname}:${target.port}`
  let step: 'method' | 'auth' | 'reply' = 'method'

  const fail = (
    code: MobilePoolErrorCode,
    what: string,
    { phase = 'tunnel', errno }: { phase?: Phase; errno?: string | undefined } = {},
  ): HandshakeStep => ({ kind: 'failed', error: linkError(link, code, phase, what, errno === undefined ? {} : { errno }) })
  const garbage = (): HandshakeStep => fail('MP_DEVICE_CONNECT', 'answered with something that is not SOCKS5')
  const request = (length: number): HandshakeStep => {
    step = 'reply'
    const address = addressOf(target.hostname)
    if (address === null) return fail('MP_TUNNEL_REFUSED', `the target's name has more than ${LONGEST_NAME} bytes: SOCKS5 carries no more`)
    const port = Buffer.from([target.port >> 8, target.port & 0xff])
    return { kind: 'send', length, bytes: Buffer.concat([Buffer.from([VERSION, CONNECT, 0]), address, port]) }
  }

  const readMethod = (version: number, method: number): HandshakeStep => {
    if (version !== VERSION) return garbage()
    if (method === NO_AUTH) return request(2)
    if (method === USER_PASSWORD && credentials !== null) {
      step = 'auth'
      const { user, password } = credentials
      const bytes = Buffer.concat([Buffer.from([AUTH_VERSION, user.length]), user, Buffer.from([password.length]), password])
      return { kind: 'send', length: 2, bytes }
    }
    if (method === NONE_ACCEPTABLE)
      return fail(
        'MP_DEVICE_AUTH',
        credentials === null ? 'wants a user and a password: put them into its URL' : 'accepts no user and password',
      )
    return garbage()
  }

  const readReply = (received: Buffer): HandshakeStep => {
    const [version, code = 0, , type = 0] = received
    if (version !== VERSION) return garbage()
    if (code !== 0) {
      const { what, errno, code: error = 'MP_TUNNEL_REFUSED' } = replies[code] ?? { what: `unknown reply ${code}` }
      // What it cannot do at all is no matter of this target: a fault of the device, as if it could not be reached.
      const phase = error === 'MP_DEVICE_CONNECT' ? 'connect' : 'tunnel'
      return fail(error, `did not connect to ${at}: ${what}`, { phase, errno })
    }
    const length = replyLength(type, received)
    if (length === null) return garbage()
    return received.length < length ? WAIT : { kind: 'open', length }
  }

  return {
    question: 'the SOCKS5 handshake',
    opening: Buffer.from(credentials === null ? [VERSION, 1, NO_AUTH] : [VERSION, 2, USER_PASSWORD, NO_AUTH]),
    read(received) {
      const [first = 0, second] = received
      if (second === undefined) return WAIT
      if (step === 'method') return readMethod(first, second)
      // A yes is as long as its address says, in the fifth byte at the latest.
      if (step === 'reply') return first === VERSION && second === 0 && received.length < 5 ? WAIT : readReply(received)
      if (first !== AUTH_VERSION) return garbage()
      return second === 0 ? request(2) : fail('MP_DEVICE_AUTH', 'does not accept the user and password in its URL')
    },
  }
}

/** Type and address as SOCKS5 writes them; null when the name is too long. */
function addressOf(hostname: string): Buffer | null {
  switch (net.isIP(hostname)) {
    case 4:
      return Buffer.from([ADDRESS_TYPES.ipv4, ...hostname.split('.').map(Number)])
    case 6:
      return Buffer.concat([Buffer.from([ADDRESS_TYPES.ipv6]), ipv6Bytes(hostname)])
    default: {
      const name = Buffer.from(hostname)
      return name.length > LONGEST_NAME ? null : Buffer.concat([Buffer.from([ADDRESS_TYPES.name, name.length]), name])
    }
  }
}

/** The 16 bytes of an IPv6 address. */
function ipv6Bytes(address: string): Buffer {
  // The URL parser writes it out in its one canonical form: hexadecimal groups and at most one `::`.
  const canonical = new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const [front, back] = [groups(head), groups(tail ?? '')]
  const all = [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}

/** Length of a reply that says yes; null when its address type is unknown. */
function replyLength(type: number, received: Buffer): number | null {
  const FIXED = 6 // version, reply, reserved, type, and the port
  if (type === ADDRESS_TYPES.ipv4) return FIXED + 4
  if (type === ADDRESS_TYPES.ipv6) return FIXED + 16
  return type === ADDRESS_TYPES.name ? FIXED + 1 + (received[4] ?? 0) : null
}
