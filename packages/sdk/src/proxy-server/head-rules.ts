import type { IncomingMessage } from 'node:http'
import type { ExchangeKind } from './exchange.ts'
import { framingOf } from './headers.ts'
import { ProxyError } from './proxy-error.ts'

const bad = (detail: string): ProxyError => new ProxyError('bad_request', detail)

/**
 * What RFC 9112 asks of a request's head beyond what Node's parser checks (strict, see server.ts): whatever two readers of the same bytes
 * could understand differently is refused, not repaired. Throws the `ProxyError` to answer.
 */
export function checkHead(req: IncomingMessage, kind: ExchangeKind, maxHeaders: number): void {
  const { httpVersion, rawHeaders } = req
  // The parser takes HTTP/0.9 and 2.0 for versions too.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    throw new ProxyError('version_not_supported', `This proxy speaks HTTP/1.1, not HTTP/${httpVersion}.`)
  }
  const fields = rawHeaders.length / 2
  if (fields > maxHeaders) throw new ProxyError('head_too_large', `The request has ${fields} header fields; ${maxHeaders} are the most.`)

  const hosts = count(rawHeaders, 'host')
  // Old clients ask for tunnels without Host, whose target is not read from there anyway.
  if (hosts > 1 || (hosts === 0 && httpVersion !== '1.0' && kind !== 'tunnel')) throw bad('A request needs exactly one Host field.')

  const lengths = count(rawHeaders, 'content-length')
  const codings = count(rawHeaders, 'transfer-encoding')
  if (lengths > 1) throw bad('A request may have one Content-Length at most.')
  if (lengths > 0 && codings > 0) throw bad('A request has Content-Length or Transfer-Encoding, never both.')
  if (codings > 0 && httpVersion === '1.0') throw bad('HTTP/1.0 has no Transfer-Encoding.')
  const framing = framingOf(req.headers)
  if (framing === 'unknown') throw new ProxyError('not_implemented', 'Of the transfer codings only "chunked" is understood.')
  if (framing === 'length' && !/^\d{1,15}$/.test(req.headers['content-length'] ?? '')) throw bad('Content-Length must be a number.')

  const hasBody = framing === 'chunked' || (framing === 'length' && Number(req.headers['content-length']) > 0)
  if (kind === 'tunnel' && hasBody) throw bad('CONNECT has no body: what is for the target follows the answer.')
  if (kind === 'upgrade' && framing !== 'none') throw new ProxyError('not_implemented', 'An upgrade with a request body is not supported.')
}

function count(rawHeaders: readonly string[], lowerCaseName: string): number {
  let found = 0
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === lowerCaseName) found++
  return found
}
