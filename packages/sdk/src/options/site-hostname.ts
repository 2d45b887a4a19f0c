import net from 'node:net'

/** The host name of a site given as a host name or a URL, without the brackets of IPv6; null when it is neither. */
export function siteHostname(site: unknown): string | null {
  const text = site instanceof URL ? site.href : site
  if (typeof text !== 'string' || text === '') return null
  const href = text.includes('://') ? text : `http://${net.isIPv6(text) ? `[${text}]` : text}`
  const hostname = URL.canParse(href) ? new URL(href).hostname : ''
  return hostname === '' ? null : hostname.replace(/^\[|\]$/g, '')
}
