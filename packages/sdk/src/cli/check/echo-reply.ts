import { readAddress } from '../../rotation/probe-exit-ip.ts'

/** What an echo said of a request. */
export interface EchoReply {
  /** The address that it saw. */
  readonly ip: string
  /** The headers that it saw, names in lower case; null when it does not tell. */
  readonly headers: Readonly<Record<string, string>> | null
}

/** Under what name echoes give the address: the hub and most services `ip`, httpbin `origin`, ip-api `query`. */
const ADDRESS_FIELDS = ['ip', 'origin', 'query', 'address', 'ip_addr', 'ipAddress', 'remote_ip', 'remoteAddress']

/** Reads an echo's answer: plain text, or JSON with the address in one of the usual fields. Undefined when there is no address in it. */
export function readEchoReply(text: string): EchoReply | undefined {
  const plain = readAddress(text)
  const json = parseObject(text)
  if (json === undefined) return plain === undefined ? undefined : { ip: plain, headers: null }
  for (const field of ADDRESS_FIELDS) {
    const said = json[field]
    // httpbin lists what X-Forwarded-For said before the address that it saw.
    const ip = typeof said === 'string' ? readAddress(said.split(',').at(-1) ?? '') : undefined
    if (ip !== undefined) return { ip, headers: readHeaders(json.headers) }
  }
  return undefined
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function readHeaders(value: unknown): Record<string, string> | null {
  if (typeof value !== 'object' || value === null) return null
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name.toLowerCase(), Array.isArray(one) ? one.join(', ') : String(one)]),
  )
}
