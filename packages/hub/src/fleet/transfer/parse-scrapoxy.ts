import { isObject, readJson } from './parse-json.ts'
import { nameFor } from './parse-list.ts'
import { type ParsedFile, type ParsedLine, unreadable } from './parsed-line.ts'

/** How deep a configuration is searched for proxies; Scrapoxy's have them at the fifth level. */
const DEEPEST = 12
/** Connectors whose proxies are modems of a box. */
const MODEM_BOXES = new Set(['proxidize', 'xproxy'])
const SCHEMES = new Set(['http', 'https', 'socks5'])

/**
 * What a Scrapoxy installation leaves: its storage file, or an answer of its API, in which each proxy of a connector has
 * `config.address.hostname` and `.port` (4.6, reference/peers.md); or the list of modems of an XProxy box (`host`, `proxy_port`,
 * `position`). A proxy that is in it twice is taken once.
 */
export function parseScrapoxy(content: string, namePrefix: string): ParsedFile {
  const parsed = readJson(content)
  if ('message' in parsed) return unreadable(1, parsed.message)
  const found = new Map<string, ParsedLine>()
  search(parsed.value, 0, (item) => {
    const proxy = fromConnector(item) ?? fromXProxy(item)
    if (proxy === null || found.has(proxy.url)) return
    const { url, type, name } = proxy
    const fields = {
      name: name === null ? nameFor(url, namePrefix) : cleanName(name, namePrefix),
      proxy_url: url,
      device_type: MODEM_BOXES.has(type) ? 'usb_modem' : 'generic',
      tags: type === '' ? ['scrapoxy'] : ['scrapoxy', type],
      ...(type === 'xproxy' ? rotationOf(url) : {}),
    }
    found.set(url, { line: found.size + 1, fields })
  })
  if (found.size === 0)
    return unreadable(
      1,
      'holds no proxies: give Scrapoxy’s storage file, the answer of its API for a project’s proxies, or the modem list of an XProxy box',
    )
  return { lines: [...found.values()], errors: [] }
}

/**
 * An XProxy box rotates a modem by the address of its proxy, on the box's web port (reference/device-control.md, 1.8). Only when somebody
 * asks: nobody expects an import to take devices away. A Proxidize modem's link has a token that Scrapoxy never knew.
 */
function rotationOf(proxyUrl: string): Record<string, unknown> {
  const { hostname, host } = new URL(proxyUrl)
  return { rotation_url: `http://${hostname}/api/v1/rotate_ip/proxy/${host}`, auto_rotation: false }
}

interface FoundProxy {
  url: string
  /** The connector's type. */
  type: string
  name: string | null
}

function search(value: unknown, depth: number, take: (item: Record<string, unknown>) => void): void {
  if (depth > DEEPEST) return
  if (Array.isArray(value)) for (const item of value) search(item, depth + 1, take)
  if (!isObject(value)) return
  take(value)
  for (const inner of Object.values(value)) search(inner, depth + 1, take)
}

function fromConnector({ config, type, name, key }: Record<string, unknown>): FoundProxy | null {
  if (!isObject(config) || !isObject(config.address)) return null
  const scheme = typeof config.type === 'string' && SCHEMES.has(config.type) ? config.type : 'http'
  const { hostname, port } = config.address
  const url = urlOf(scheme, hostname, port, isObject(config.auth) ? config.auth : {})
  const connector = typeof type === 'string' ? type : ''
  // XProxy's proxies are named host:port there; a connector's key is the modem's place in its box.
  const given = typeof name === 'string' && name !== '' ? name : typeof key === 'string' && connector !== '' ? `${connector}-${key}` : null
  return url === null ? null : { url, type: connector, name: given }
}

function fromXProxy({ host, proxy_port: port, position }: Record<string, unknown>): FoundProxy | null {
  const url = urlOf('http', host, port, {})
  return url === null ? null : { url, type: 'xproxy', name: typeof position === 'number' ? `xproxy-${host as string}-${position}` : null }
}

function urlOf(scheme: string, host: unknown, port: unknown, auth: Record<string, unknown>): string | null {
  if (typeof host !== 'string' || typeof port !== 'number') return null
  const { username, password } = auth
  const part = (text: unknown): string => (typeof text === 'string' ? encodeURIComponent(text) : '')
  const credentials = part(username) === '' ? '' : `${part(username)}:${part(password)}@`
  const url = `${scheme}://${credentials}${host}:${port}`
  return URL.canParse(url) ? url : null
}

/** Scrapoxy's names may hold anything. */
function cleanName(name: string, prefix: string): string {
  const clean = name
    .normalize('NFC')
    .replace(/[^\p{L}\p{M}\p{N}._-]+/gu, '-')
    .replace(/^[^\p{L}\p{N}]+/u, '')
    .slice(0, 100)
  return clean === '' ? prefix : clean
}
