import { isIP, isIPv6 } from 'node:net'
import { ProxyError } from './proxy-error.ts'

/** Where a client wants to go. */
export interface ProxyTarget {
  /** A lower-case ASCII name or an IP address without brackets. */
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
}

/** `host:port` as in a CONNECT line or a log; brackets around IPv6. */
export const authorityOf = (target: ProxyTarget): string => `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`

const bad = (detail: string): ProxyError => new ProxyError('bad_request', detail)

const LONGEST_NAME = 253
/** Names that URLs leave as they are: no capitals, no last label that could be a number, no `xn--` whose right form is to be checked. */
const usualName = /^(?:(?!xn--)[a-z0-9][a-z0-9-]*\.)*(?!xn--)[a-z][a-z0-9-]*$/

/** Names are put into ASCII, and addresses in odd forms (`0x7f.1`, `2130706433`) into the usual one, as URLs do it. */
function normalHost(host: string): string {
  if (host.length <= LONGEST_NAME && usualName.test(host)) return host
  let normal: string
  try {
    normal = new URL(`http://${host}/`).hostname
  } catch {
    throw bad(`"${host}" is not a host name or address.`)
  }
  const bare = normal.replace(/^\[|\]$/g, '')
  if (bare === '' || bare.length > LONGEST_NAME) throw bad(`"${host}" is not a host name or address.`)
  return bare
}

/** The target of a SOCKS5 request: an address, or a name that is checked as those of URLs are. Throws `bad_request`. */
export function targetOf(host: string, port: number): ProxyTarget {
  if (isIPv6(host) && !host.includes('%')) return parseAuthority(`[${host}]:${port}`, null)
  if (/[:[\]]/.test(host)) throw bad(`"${host}" is not a host name or address.`)
  return parseAuthority(`${host}:${port}`, null)
}

function parseAuthority(authority: string, defaultPort: number | null): ProxyTarget {
  const parts = /^(\[[0-9a-fA-F:.]+\]|[^\s:@/?#\\[\]]+)(?::([0-9]{1,5}))?$/.exec(authority)
  if (!parts?.[1]) throw bad(`"${authority}" is not host:port.`)
  if (parts[1].startsWith('[') && isIP(parts[1].slice(1, -1)) !== 6) throw bad(`"${parts[1]}" is not an IPv6 address.`)
  const port = parts[2] === undefined ? defaultPort : Number(parts[2])
  if (port === null || port < 1 || port > 65_535) throw bad(`"${authority}" needs a port from 1 to 65535.`)
  return { host: normalHost(parts[1]), port }
}

/** The target of `CONNECT host:port`. Throws `bad_request`. */
export const parseConnectTarget = (requestTarget: string): ProxyTarget => parseAuthority(requestTarget, null)

/** An absolute-form request target, taken apart. The path is the client's, byte for byte. */
export interface AbsoluteTarget extends ProxyTarget {
  /** What the target's `Host` must be: the authority as the client wrote it. */
  readonly hostHeader: string
  readonly path: string
}

/** Takes `http://host[:port]/path?query` apart. Throws `bad_request` with what would be right. */
export function parseAbsoluteTarget(requestTarget: string, method: string): AbsoluteTarget {
  const parts = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^#]*)/i.exec(requestTarget)
  if (!parts) {
    throw bad('This is a proxy: it takes absolute URLs ("GET http://host/path HTTP/1.1") and CONNECT, not requests for itself.')
  }
  const [, scheme = '', hostHeader = '', rest = ''] = parts
  if (scheme.toLowerCase() !== 'http') {
    throw bad(`A URL with "${scheme}:" cannot be forwarded: ask for a tunnel with CONNECT host:port.`)
  }
  if (hostHeader.includes('@')) throw bad('The URL holds a user name: send it in an Authorization header instead.')
  const asterisk = method === 'OPTIONS' && rest === ''
  const path = asterisk ? '*' : rest.startsWith('/') ? rest : `/${rest}`
  return { ...parseAuthority(hostHeader, 80), hostHeader, path }
}
