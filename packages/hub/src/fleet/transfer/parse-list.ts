import type { ParsedFile } from './parsed-line.ts'

/**
 * One proxy a line, as providers and tools write them: a URL, `host:port`, `user:password@host:port`, `host:port:user:password` or
 * `user:password:host:port`; without a scheme it is HTTP. Empty lines and those that begin with `#` are left out. The names are made up.
 */
export function parseList(content: string, namePrefix: string): ParsedFile {
  const file: ParsedFile = { lines: [], errors: [] }
  for (const [index, raw] of content
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const text = raw.trim()
    if (text === '' || text.startsWith('#')) continue
    const line = index + 1
    const url = proxyUrlOf(text)
    // The line itself may hold a password, so it is not repeated.
    if (url === null)
      file.errors.push({ line, name: null, field: 'proxy_url', message: 'is no proxy: write http://user:password@host:port' })
    else file.lines.push({ line, fields: { name: nameFor(url, namePrefix), proxy_url: url } })
  }
  return file
}

/** A proxy in any of the usual spellings as a URL; null when it is none. */
function proxyUrlOf(text: string): string | null {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return URL.canParse(text) && new URL(text).hostname !== '' ? text : null
  if (text.includes('@')) return asUrl(`http://${text}`)
  const parts = text.split(':')
  const [a = '', b = '', c = '', d = ''] = parts
  if (parts.length === 2) return isPort(b) ? asUrl(`http://${a}:${b}`) : null
  if (parts.length !== 4) return null
  // A port tells which half is the address; where both could be one, the order that providers use more.
  const [host, port, user, password] = isPort(b) ? [a, b, c, d] : [c, d, a, b]
  return isPort(port) ? asUrl(`http://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}`) : null
}

/** A name that tells where the proxy is. */
export function nameFor(url: string, prefix: string): string {
  const { hostname, port } = new URL(url)
  const place = `${hostname}-${port === '' ? 'default' : port}`.replace(/[^\p{L}\p{N}.-]+/gu, '-').replace(/^-+|-+$/g, '')
  return `${prefix}-${place}`.slice(0, 100)
}

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535

const asUrl = (text: string): string | null => (URL.canParse(text) && isPort(new URL(text).port || '80') ? text : null)
