import { getDomain } from 'tldts'

/** Names remembered, so that a crawl of many hosts does not grow for ever. */
const REMEMBERED_HOSTS = 10_000
/** No name in the DNS is longer (RFC 1035, 2.3.4): what is longer stays out of every memory, cut to its end. */
const LONGEST_NAME = 253

/**
 * Returns a function that tells the site of a host name: its registrable domain (`shop.example.co.uk` -> `example.co.uk`),
 * the unit of ban memory. IP addresses, `localhost` and names outside the public suffix list stand for themselves.
 * Upper and lower case and a final dot make no difference. Answers are remembered, because this runs once a request.
 */
export function createSiteLookup(): (hostname: string) => string {
  const remembered = new Map<string, string>()
  return (hostname) => {
    const known = remembered.get(hostname)
    if (known !== undefined) return known
    if (hostname.length > LONGEST_NAME) return hostname.slice(-LONGEST_NAME).toLowerCase()
    const site = getDomain(hostname) ?? hostname.toLowerCase().replace(/\.$/, '')
    if (remembered.size >= REMEMBERED_HOSTS) remembered.clear()
    remembered.set(hostname, site)
    return site
  }
}
