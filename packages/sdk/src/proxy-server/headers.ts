/**
 * Which header fields cross the proxy: RFC 9110 section 7.6.1. Names, values, order and letter case of the others stay as they were.
 * No `Via` and no `X-Forwarded-For`: they would tell the site of the proxy.
 */

/** Fields of one connection, never forwarded. `Transfer-Encoding` is put back by whoever frames the body. */
const connectionFields = new Set([
  'connection',
  'keep-alive',
  'te',
  // Trailers themselves are forwarded; their announcement would be wrong where the next message is framed otherwise.
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** A client may not have these removed by naming them in `Connection`: the message would mean something else. */
const keptAgainstConnection = new Set(['host', 'content-length', 'content-type', 'authorization', 'cookie'])

/** Ours: read by the proxy, written by the proxy, never believed from elsewhere. */
const isOurs = (name: string): boolean => name.startsWith('x-mobilepool-')

/** Between a client and its proxy: credentials, `Proxy-Connection`, `Proxy-Status` and whatever else there is. */
const isForProxies = (name: string): boolean => name.startsWith('proxy-')

function namedInConnection(raw: readonly string[]): Set<string> {
  const names = new Set<string>()
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() !== 'connection') continue
    for (const option of (raw[i + 1] ?? '').split(',')) names.add(option.trim().toLowerCase())
  }
  for (const name of keptAgainstConnection) names.delete(name)
  return names
}

function endToEnd(raw: readonly string[]): string[] {
  const named = namedInConnection(raw)
  const kept: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? ''
    const lower = name.toLowerCase()
    if (connectionFields.has(lower) || named.has(lower) || isOurs(lower) || isForProxies(lower)) continue
    kept.push(name, raw[i + 1] ?? '')
  }
  return kept
}

/** How the body of a message is framed. */
export type Framing = 'none' | 'length' | 'chunked' | 'unknown'

/** Tells the framing from a parsed message's headers; `unknown` is a transfer coding beyond `chunked`. */
export function framingOf(headers: { 'transfer-encoding'?: string | undefined; 'content-length'?: string | undefined }): Framing {
  const coding = headers['transfer-encoding']
  if (coding !== undefined) return coding.trim().toLowerCase() === 'chunked' ? 'chunked' : 'unknown'
  return headers['content-length'] === undefined ? 'none' : 'length'
}

/** Methods whose requests have no body as a rule. Others without one are sent with `Content-Length: 0`: Node would send them in chunks. */
const methodsWithoutBody = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

/**
 * The request's fields for the target, as a flat list. `Host` is the request target's, whatever the client's said (RFC 9112 3.2.2).
 * @param upgrade the protocol asked for, when this is an upgrade
 */
export function requestHeaders(
  raw: readonly string[],
  message: { method: string; hostHeader: string; framing: Framing; upgrade?: string | undefined },
): string[] {
  const headers = endToEndForHost(raw, message.hostHeader)
  if (message.framing === 'chunked') headers.push('Transfer-Encoding', 'chunked')
  if (message.framing === 'none' && !methodsWithoutBody.has(message.method)) headers.push('Content-Length', '0')
  if (message.upgrade === undefined) headers.push('Connection', 'close')
  else headers.push('Connection', 'Upgrade', 'Upgrade', message.upgrade)
  return headers
}

/** The request's fields without those that frame it. */
export function endToEndForHost(raw: readonly string[], hostHeader: string): string[] {
  const kept = endToEnd(raw)
  const headers: string[] = []
  let hasHost = false
  for (let i = 0; i < kept.length; i += 2) {
    const name = kept[i] ?? ''
    if (name.toLowerCase() !== 'host') headers.push(name, kept[i + 1] ?? '')
    else if (!hasHost) {
      hasHost = true
      headers.push(name, hostHeader)
    }
  }
  if (!hasHost) headers.unshift('Host', hostHeader)
  return headers
}

const isCoded = (raw: readonly string[]): boolean => raw.some((text, at) => at % 2 === 0 && text.toLowerCase() === 'transfer-encoding')

/** A length beside a transfer coding means nothing, and would cut or prolong the body once that is taken off. */
function without(headers: readonly string[], lowerCaseName: string): string[] {
  return headers.filter((_, at) => headers[at - (at % 2)]?.toLowerCase() !== lowerCaseName)
}

/** The response's fields for the client, as a flat list; `ours` are added at the end. */
export function responseHeaders(raw: readonly string[], ours: ReadonlyMap<string, string>, upgrade?: string): string[] {
  const headers = isCoded(raw) ? without(endToEnd(raw), 'content-length') : endToEnd(raw)
  if (upgrade !== undefined) headers.push('Connection', 'Upgrade', 'Upgrade', upgrade)
  for (const [name, value] of ours) headers.push(name, value)
  return headers
}

/** Fields that would change what a message is, or where it goes, if a receiver put them among its headers (RFC 9110 section 6.5.1). */
const neverInTrailers = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'expect',
  'host',
  'max-forwards',
  'range',
  'set-cookie',
])

/** The trailers of a message that cross the proxy, in pairs. */
export function endToEndTrailers(raw: readonly string[]): [name: string, value: string][] {
  const pairs: [string, string][] = []
  const kept = endToEnd(raw)
  for (let i = 0; i < kept.length; i += 2) {
    const name = kept[i] ?? ''
    if (!neverInTrailers.has(name.toLowerCase())) pairs.push([name, kept[i + 1] ?? ''])
  }
  return pairs
}
