import { z } from 'zod'

const SCHEMES = new Set(['http:', 'https:', 'socks5:', 'socks5h:'])
const EXAMPLE = 'must be a proxy URL like http://user:password@10.0.0.5:8080'
/** The length of a user name or password in SOCKS5 is one byte (RFC 1929, 2). */
const LONGEST_SOCKS_CREDENTIAL = 255

/**
 * Where parsers reach a device: `http://`, `https://`, `socks5://` or `socks5h://` (both SOCKS5 with the target's name resolved by the
 * device), with credentials where it asks for them. Odd characters in them are percent-encoded, as in every URL.
 */
export const proxyUrl = z
  .string(EXAMPLE)
  .max(2048)
  .superRefine((text, context) => {
    const message = complaint(text)
    if (message !== null) context.addIssue({ code: 'custom', message })
  })

function complaint(text: string): string | null {
  if (!URL.canParse(text)) return EXAMPLE
  const { protocol, hostname, username, password } = new URL(text)
  if (protocol === 'socks:' || protocol === 'socks4:' || protocol === 'socks4a:')
    return `must be a proxy URL: of SOCKS only version 5 is spoken, as socks5:// (not ${protocol}//)`
  if (!SCHEMES.has(protocol) || hostname === '') return EXAMPLE
  // The parts of a parsed URL are ASCII: what is not percent-encoded is one byte a character.
  const isTooLong = (part: string): boolean => part.replace(/%[0-9a-f]{2}/gi, 'x').length > LONGEST_SOCKS_CREDENTIAL
  if (protocol.startsWith('socks5') && (isTooLong(username) || isTooLong(password)))
    return `must be a proxy URL whose user and password have at most ${LONGEST_SOCKS_CREDENTIAL} bytes each: SOCKS5 carries no more`
  return null
}
