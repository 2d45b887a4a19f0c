import { BlockList, isIP } from 'node:net'

const PRIVATE = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '::1/128', 'fc00::/7']

/**
 * What no request of ours may reach, whoever asked for it: link-local addresses (cloud metadata lives at 169.254.169.254), the
 * metadata addresses of Alibaba, Oracle, Azure and AWS over IPv6, "any" addresses, multicast and broadcast.
 */
const NEVER = [
  '0.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200/32',
  '192.0.0.192/32',
  '168.63.129.16/32',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  'fe80::/10',
  'fd00:ec2::254/128',
  'ff00::/8',
]

/** Where an address is: `never` is never dialled, `private` only where that is allowed. */
export type AddressClass = 'never' | 'private' | 'public'

const listOf = (networks: readonly string[]): BlockList => {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

const never = listOf(NEVER)
const internal = listOf(PRIVATE)

/** Prefixes under which an IPv4 address travels inside an IPv6 one: mapped, NAT64. */
const CARRIERS = ['::ffff:', '64:ff9b::'] as const

/** Classifies an IP address as `net.isIP` takes it, without brackets. What is no address is `never`. */
export function classifyAddress(address: string): AddressClass {
  const bare = address.replace(/%.*$/, '')
  const family = isIP(bare)
  if (family === 0) return 'never'
  const inner = family === 6 ? carriedIpv4(bare) : bare
  const isIn = (list: BlockList): boolean => (inner === null ? list.check(bare, 'ipv6') : list.check(inner, 'ipv4'))
  if (isIn(never)) return 'never'
  return isIn(internal) ? 'private' : 'public'
}

/** The IPv4 address in an IPv6 one, whichever way it is spelt. */
function carriedIpv4(address: string): string | null {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const prefix = CARRIERS.find((candidate) => canonical.startsWith(candidate))
  if (prefix === undefined) return null
  const groups = canonical.slice(prefix.length).split(':')
  if (groups.length > 2) return null
  const [high = 0, low = 0] =
    groups.length === 2 ? groups.map((group) => Number.parseInt(group, 16)) : [0, Number.parseInt(groups[0] ?? '', 16)]
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}
