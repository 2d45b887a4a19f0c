import { domainToASCII } from 'node:url'

/** A device's proxy: what it speaks, where it listens and what it asks for. */
export interface Endpoint {
  /**
   * `https`: HTTP over TLS. `socks5`: it opens tunnels only, and resolves the targets' names itself. `tunnel`: it has dialled to the
   * program that embeds the pool, which opens connections through it; it listens nowhere.
   */
  readonly protocol: 'http' | 'https' | 'socks5' | 'tunnel'
  /** Without the brackets of an IPv6 address. Empty for a tunnel. */
  readonly hostname: string
  readonly port: number
  /** Null when the URL has none. */
  readonly credentials: Credentials | null
}

/** User name and password, as bytes: a URL may hold any. */
interface Credentials {
  readonly user: Buffer
  readonly password: Buffer
}

const DEFAULT_PORTS = { http: 80, https: 443, socks5: 1080 } as const
const TUNNEL: Endpoint = { protocol: 'tunnel', hostname: '', port: 0, credentials: null }

/** The proxy URL of a device that is reached by the embedding program's `dial` alone. */
export const TUNNEL_URL = 'tunnel:'

/** Reads a proxy URL that the contract's `proxyUrl` allows, or `TUNNEL_URL`. Throws `TypeError` when it is none. */
export function parseEndpoint(proxyUrl: string): Endpoint {
  if (proxyUrl === TUNNEL_URL) return TUNNEL
  const { protocol: scheme, hostname, port, username, password } = new URL(proxyUrl)
  const protocol = scheme === 'https:' ? 'https' : scheme === 'http:' ? 'http' : 'socks5'
  return {
    protocol,
    hostname: bareHostname(hostname, protocol),
    port: port === '' ? DEFAULT_PORTS[protocol] : Number(port),
    credentials: username === '' && password === '' ? null : { user: percentDecoded(username), password: percentDecoded(password) },
  }
}

/** Value of `Proxy-Authorization` for an HTTP proxy; null when there are no credentials. */
export const basicAuthorization = ({ credentials }: Endpoint): string | null =>
  credentials === null ? null : `Basic ${Buffer.concat([credentials.user, COLON, credentials.password]).toString('base64')}`

const COLON = Buffer.from(':')

/** `URL` brings names of http: and https: into their ASCII form; for other schemes that is left to us. */
function bareHostname(hostname: string, protocol: Endpoint['protocol']): string {
  const bare = hostname.replace(/^\[|\]$/g, '')
  return protocol === 'socks5' && !hostname.startsWith('[') ? domainToASCII(percentDecoded(bare).toString()) || bare : bare
}

/** The bytes that a part of a URL stands for. A percent sign that begins no byte stands for itself, as in the URL standard. */
function percentDecoded(part: string): Buffer {
  const bytes = part.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  // The parts of a parsed URL are ASCII, so every character is one byte now.
  return Buffer.from(bytes, 'latin1')
}
