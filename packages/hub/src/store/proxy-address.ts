/** A proxy URL as the columns of `proxy_devices` hold it. */
export interface ProxyAddress {
  scheme: string
  host: string
  port: number
  /** `user:password`, still percent-encoded as in the URL. */
  auth: string | null
}

/** The ports of proxies that stand in a URL without one; 1080 is SOCKS' own (RFC 1928, 3). */
const DEFAULT_PORTS: Record<string, number> = { http: 80, https: 443, socks5: 1080, socks5h: 1080 }

/** Takes a valid proxy URL apart; a path or query has no meaning for a proxy and is dropped. */
export function splitProxyUrl(url: string): ProxyAddress {
  const { protocol, hostname, port, username, password } = new URL(url)
  const scheme = protocol.slice(0, -1)
  return {
    scheme,
    host: hostname,
    port: port === '' ? (DEFAULT_PORTS[scheme] ?? 80) : Number(port),
    auth: username === '' && password === '' ? null : `${username}:${password}`,
  }
}

/** The URL again, always with its port. */
export const joinProxyUrl = ({ scheme, host, port, auth }: ProxyAddress): string =>
  `${scheme}://${auth === null ? '' : `${auth}@`}${host}:${port}`

/** The one spelling of a valid proxy URL. */
export const normalProxyUrl = (url: string): string => joinProxyUrl(splitProxyUrl(url))
