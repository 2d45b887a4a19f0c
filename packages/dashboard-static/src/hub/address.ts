/**
 * Which hub the page reads: `?hub=` in its own address, else `"hub"` in the `config.json` beside index.html, else whoever serves the page.
 */

/** Where the address was said. */
type AddressSource = 'query' | 'config'

/** The hub's address, ending in `/`; or what was said instead and cannot be one. */
export type HubAddress =
  | { readonly ok: true; readonly base: string }
  | { readonly ok: false; readonly source: AddressSource; readonly given: string }

/**
 * The address ends up inside a shell command that people copy (the crontab line), and `$(...)`, quotes and `;` are legal in URLs:
 * only what no shell gives a meaning to is let through.
 */
const HARMLESS_HOST = /^([a-z0-9.-]+|\[[0-9a-f:.]+\])$/
const HARMLESS_PATH = /^[\w.~/-]*$/

/**
 * Reads a hub's address as people write it: `https://hub.example`, `hub.example:3001`, `http://10.0.0.5:3001/mobilepool`.
 * Without a scheme it gets the page's own. Returns null for anything but a plain http(s) address:
 * no user name or password, no query, nothing that means something to a shell.
 */
export function parseHubAddress(text: string, pageUrl: URL): string | null {
  const trimmed = text.trim()
  const absolute = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `${pageUrl.protocol}//${trimmed}`
  if (!URL.canParse(absolute)) return null
  const url = new URL(absolute)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null
  if (url.username || url.password || url.search || url.hash) return null
  if (!HARMLESS_HOST.test(url.hostname) || !HARMLESS_PATH.test(url.pathname)) return null
  // Not `href`: that keeps an empty `?` or `#`.
  return `${url.origin}${url.pathname.replace(/\/*$/, '/')}`
}

/** `"hub"` of config.json: null where there is no such file (static hosts often answer with a page instead) or nothing is said in it. */
async function readConfiguredHub(pageUrl: URL, fetch: typeof globalThis.fetch): Promise<unknown> {
  try {
    const answer = await fetch(new URL('config.json', pageUrl), { cache: 'no-cache', signal: AbortSignal.timeout(5_000) })
    if (!answer.ok || answer.headers.get('content-type')?.includes('text/html')) return null
    const config: unknown = JSON.parse(await answer.text())
    return typeof config === 'object' && config !== null && 'hub' in config && config.hub !== '' ? config.hub : null
  } catch (error) {
    return error instanceof SyntaxError ? error : null
  }
}

/** Finds the hub's address; never throws. */
export async function findHubAddress(pageUrl: URL, fetch: typeof globalThis.fetch): Promise<HubAddress> {
  const asked = pageUrl.searchParams.get('hub')?.trim() || null
  const given = asked ?? (await readConfiguredHub(pageUrl, fetch))
  if (given === null) return { ok: true, base: parseHubAddress(new URL('./', pageUrl).href, pageUrl) ?? `${pageUrl.origin}/` }
  const base = typeof given === 'string' ? parseHubAddress(given, pageUrl) : null
  if (base !== null) return { ok: true, base }
  const text = typeof given === 'string' ? given : given instanceof SyntaxError ? given.message : JSON.stringify(given)
  return { ok: false, source: asked === null ? 'config' : 'query', given: hidePassword(text).slice(0, 200) }
}

/** User name and password of an address are not for the screen. */
const hidePassword = (text: string): string => text.replace(/(^|\/\/)[^/]*@/, '$1***@')
