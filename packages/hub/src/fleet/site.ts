import { getDomain } from 'tldts'

/**
 * The site of a host name or a URL: its registrable domain, as pools name it in their quarantines (packages/sdk/src/core/site.ts).
 * Addresses, `localhost` and names outside the public suffix list stand for themselves. Null when it is neither.
 */
export function siteOf(text: string): string | null {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(url)) return null
  const { hostname } = new URL(url)
  if (hostname === '') return null
  return getDomain(hostname) ?? hostname.replace(/\.$/, '')
}
