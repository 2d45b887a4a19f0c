/** A device's proxy: where it listens and what it asks for. */
export interface Endpoint {
  readonly isTls: boolean
  /** Without the brackets of an IPv6 address. */
  readonly hostname: string
  readonly port: number
  /** Value of `Proxy-Authorization`; null when the URL has no credentials. */
  readonly authorization: string | null
}

/** Reads a proxy URL. Throws `TypeError` when it is none. */
export function parseEndpoint(proxyUrl: string): Endpoint {
  const url = new URL(proxyUrl)
  const isTls = url.protocol === 'https:'
  const hasCredentials = url.username !== '' || url.password !== ''
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return {
    isTls,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    authorization: hasCredentials ? `Basic ${Buffer.from(credentials).toString('base64')}` : null,
  }
}
