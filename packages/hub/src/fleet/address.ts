import { BlockList, isIP } from 'node:net'

/**
 * The one spelling of an address: IPv4-mapped IPv6 as IPv4, no zone, lower case.
 * Null for what is no address: behind a trusted proxy the "address" is whatever the proxy wrote (reference/hub.md 1.6).
 */
export function normalAddress(text: string | undefined): string | null {
  if (text === undefined) return null
  const bare = text.replace(/%.*$/, '').toLowerCase()
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1]
  if (mapped !== undefined) return isIP(mapped) === 4 ? mapped : null
  return isIP(bare) === 0 ? null : bare
}

/** The family of a normal address. */
export const addressFamily = (address: string): 'v4' | 'v6' => (address.includes(':') ? 'v6' : 'v4')

/** The first four groups of an IPv6 address: what stays while privacy addresses change. */
export function prefix64(address: string): string {
  const [head = '', tail] = address.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => '0')
  return [...front, ...zeros, ...back]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}

/** Whether two normal addresses are the same exit: equal for IPv4, of one /64 for IPv6. */
export const isSameExit = (a: string, b: string): boolean =>
  a === b || (addressFamily(a) === 'v6' && addressFamily(b) === 'v6' && prefix64(a) === prefix64(b))

/** Who a limit is kept for: one IPv4 address, or the /64 that one IPv6 customer holds. */
export const limitKey = (address: string): string => (addressFamily(address) === 'v4' ? address : prefix64(address))

/** Whether a text is an address or a network in CIDR form. */
export function isCidr(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

/** A test for membership in any of the networks; `isCidr` holds for each. */
export function networkMatcher(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const type = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    list.addSubnet(address, bits === undefined ? (type === 'ipv4' ? 32 : 128) : Number(bits), type)
  }
  return (address) => list.check(address, addressFamily(address) === 'v4' ? 'ipv4' : 'ipv6')
}

/** Whether listening there is listening to this machine only. */
export const isLoopbackHost = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
