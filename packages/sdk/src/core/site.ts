import { getDomain } from 'tldts'

/** Names remembered, so that a crawl of many hosts does not grow for ever. */
const REMEMBERED_HOSTS = 10_000

/**
 * Returns a function that tells the site of a host name: its registrable domain (`shop.example.co.uk` -> `example.co.uk`),
 * the unit of ban memory. IP addresses, `localhost` and names outside the public suffix list stand for themselves.
 * Answers are remembered, because this runs once a request.
 */
export function createSiteLookup(): (hostname: string) => string {
  const remembered = new Map<string, string>()
  return (hostname) => {
    const known = remembered.get(hostname)
    if (known !== undefined) return known
    const site = getDomain(hostname) ?? hostname
    if (remembered.size >= REMEMBERED_HOSTS) remembered.clear()
    remembered.set(hostname, site)
    return site
  }
}
