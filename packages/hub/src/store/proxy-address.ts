/** A proxy URL as the columns of `proxy_devices` hold it. */
export interface ProxyAddress {
  scheme: string
  host: string
  port: number
  /** `user:password`, still percent-encoded as in the URL. */
  auth: string | null
}

/** Takes a valid http(s) proxy URL apart; a path or query has no meaning for a proxy and is dropped. */
export function splitProxyUrl(url: string): ProxyAddress {
  const { protocol, hostname, port, username, password } = new URL(url)
  const scheme = protocol.slice(0, -1)
  return {
    scheme,
    host: hostname,
    port: port === '' ? (scheme === 'https' ? 443 : 80) : Number(port),
    auth: username === '' && password === '' ? null : `${username}:${password}`,
  }
}

/** The URL again, always with its port. */
export const joinProxyUrl = ({ scheme, host, port, auth }: ProxyAddress): string =>
  `${scheme}://${auth === null ? '' : `${auth}@`}${host}:${port}`
