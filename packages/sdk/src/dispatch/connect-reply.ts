/** A longer head is no answer to CONNECT. */
const LONGEST_HEAD = 16_384
const END_OF_HEAD = Buffer.from('\r\n\r\n')

export type ConnectReply =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'garbage'; readonly why: string }
  | {
      readonly kind: 'reply'
      readonly statusCode: number
      readonly headers: Record<string, string> /** Bytes of the head. */
      readonly length: number
    }

/** Reads the head of a proxy's answer to CONNECT from what has arrived so far. */
export function readConnectReply(received: Buffer): ConnectReply {
  const start = received.toString('latin1', 0, 7)
  if (!'HTTP/1.'.startsWith(start.slice(0, 7))) return { kind: 'garbage', why: 'it does not begin with HTTP/1.' }
  const end = received.indexOf(END_OF_HEAD)
  if (end < 0)
    return received.length > LONGEST_HEAD
      ? { kind: 'garbage', why: `its head is longer than ${LONGEST_HEAD} bytes` }
      : { kind: 'incomplete' }
  const [statusLine = '', ...lines] = received.toString('latin1', 0, end).split('\r\n')
  const statusCode = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine)?.[1])
  if (Number.isNaN(statusCode)) return { kind: 'garbage', why: 'its status line has no status' }
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { kind: 'reply', statusCode, headers, length: end + END_OF_HEAD.length }
}
