import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** Not on the public internet: IANA special-purpose registries (RFC 6890 and its updates), multicast and reserved space. */
const special4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10', // CGNAT; also the metadata service of Alibaba Cloud
  '127.0.0.0/8',
  '169.254.0.0/16', // link-local; also the metadata service of most clouds
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
const special6 = [
  '::/96', // unspecified, loopback, and the old IPv4-compatible addresses
  '::ffff:0:0:0/96', // IPv4-translated (RFC 2765)
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23', // Teredo, ORCHID and other protocol assignments
  '2001:db8::/32',
  '2002::/16', // 6to4: would reach the IPv4 address inside
  '3fff::/20',
  '5f00::/16',
  'fc00::/7', // also the metadata service of AWS
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
]

const blocked = new BlockList()
for (const [family, ranges] of [
  ['ipv4', special4],
  ['ipv6', special6],
] as const) {
  for (const range of ranges) {
    const [network = '', prefix = ''] = range.split('/')
    blocked.addSubnet(network, Number(prefix), family)
  }
}

/** The IPv4 address inside an IPv4-mapped (`::ffff:a.b.c.d`) or NAT64 (`64:ff9b::a.b.c.d`) address, in any of their spellings. */
function embeddedIPv4(address: string): string | null {
  // The URL parser puts every spelling into one form, with the IPv4 part as two groups of hex digits.
  const normal = new URL(`http://[${address}]/`).hostname.slice(1, -1)
  const groups = /^(?:::ffff|64:ff9b:):([0-9a-f]+):([0-9a-f]+)$/.exec(normal)
  if (!groups) return null
  const high = Number.parseInt(groups[1] ?? '', 16)
  const low = Number.parseInt(groups[2] ?? '', 16)
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/**
 * Whether an address is one that strangers may be connected to: on the public internet, not in the network of the device, of its host or
 * of its carrier. To be asked of the address that is dialled, not of the name: a name can point anywhere.
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !blocked.check(address, 'ipv4')
  if (!isIPv6(address) || address.includes('%')) return false
  const inner = embeddedIPv4(address)
  return inner === null ? !blocked.check(address, 'ipv6') : isPublicAddress(inner)
}
