import type { Credentials } from '../authenticate.ts'
import { ProxyError } from '../proxy-error.ts'
import { type ProxyTarget, targetOf } from '../target.ts'
import type { FrameReader } from './frame-reader.ts'

/** Methods of authentication (RFC 1928, 3). */
export const socksMethods = { none: 0, password: 2, noneAcceptable: 0xff } as const

/** The methods a client offers; null when this is no SOCKS5 greeting or the connection ended. */
export async function readGreeting(reader: FrameReader): Promise<Buffer | null> {
  if ((await reader.byte()) !== 5) return null
  const count = await reader.byte()
  return count === null ? null : reader.take(count)
}

/** User name and password (RFC 1929, 2); null when they are malformed or the connection ended. */
export async function readCredentials(reader: FrameReader): Promise<Credentials | null> {
  if ((await reader.byte()) !== 1) return null
  const username = await readCounted(reader)
  const password = username && (await readCounted(reader))
  return username && password && { username: username.toString('utf8'), password: password.toString('utf8') }
}

async function readCounted(reader: FrameReader): Promise<Buffer | null> {
  const length = await reader.byte()
  return length === null ? null : reader.take(length)
}

/** Commands (RFC 1928, 4). */
const CONNECT = 1
const addressTypes = { ipv4: 1, name: 3, ipv6: 4 } as const

/** What a client asks for, or why it cannot have it. */
export type SocksRequest =
  | { readonly asks: 'connect'; readonly target: ProxyTarget }
  /** BIND, UDP ASSOCIATE, or no command at all. */
  | { readonly asks: 'unknown_command' }
  | { readonly asks: 'unknown_address_type' }
  | { readonly asks: 'bad_target'; readonly error: ProxyError }
  | { readonly asks: 'garbage' }

/** Reads a request; null when the connection ended. */
export async function readRequest(reader: FrameReader): Promise<SocksRequest | null> {
  const head = await reader.take(4)
  if (!head) return null
  const [version, command, reserved, type] = head
  if (version !== 5 || reserved !== 0) return { asks: 'garbage' }
  const host = await readHost(reader, type)
  if (host === null) return null
  if (host === undefined) return { asks: 'unknown_address_type' }
  const port = await reader.take(2)
  if (!port) return null
  if (command !== CONNECT) return { asks: 'unknown_command' }
  try {
    return { asks: 'connect', target: targetOf(host, port.readUInt16BE()) }
  } catch (error) {
    if (error instanceof ProxyError) return { asks: 'bad_target', error }
    throw error
  }
}

/** Undefined: an address of an unknown type, whose end cannot be told. */
async function readHost(reader: FrameReader, type: number | undefined): Promise<string | null | undefined> {
  if (type === addressTypes.ipv4) return (await reader.take(4))?.join('.') ?? null
  if (type === addressTypes.ipv6) {
    const bytes = await reader.take(16)
    return bytes && (bytes.toString('hex').match(/.{4}/g) ?? []).join(':')
  }
  if (type !== addressTypes.name) return undefined
  return (await readCounted(reader))?.toString('utf8') ?? null
}
