import { BlockList, isIP } from 'node:net'

/**
 * Where an address is. `public`: on the public internet. `private`: in some network that strangers have no business in, dialled only
 * where that is allowed: private, loopback, carrier-grade NAT, documentation, benchmarks. `never`: link-local (cloud metadata lives at
 * 169.254.169.254), the metadata addresses of other clouds, "any", multicast, broadcast, and IPv6 forms that hide another address.
 */
export type AddressClass = 'public' | 'private' | 'never'

// IANA special-purpose registries (RFC 6890 and its updates).
const PRIVATE = [
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fec0::/10',
]

const NEVER = [
  '0.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200/32', // metadata of Alibaba Cloud
  '192.0.0.192/32', // of Oracle Cloud
  '168.63.129.16/32', // of Azure
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/96', // "any", and the old IPv4-compatible form; loopback is looked at before
  '::ffff:0:0:0/96', // IPv4-translated (RFC 2765)
  '64:ff9b:1::/48', // NAT64 of a network's own
  '2001::/32', // Teredo
  '2002::/16', // 6to4
  'fd00:ec2::254/128', // metadata of AWS
  'fe80::/10',
  'ff00::/8',
]

const listOf = (networks: readonly string[]): BlockList => {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

const privately = listOf(PRIVATE)
const never = listOf(NEVER)

/**
 * Says where an address is; what is no address (`net.isIP`), or names an interface (`%eth0`), is `never`. To be asked of the address that
 * is dialled, not of a name: that can point anywhere, and elsewhere the next moment.
 */
export function classifyAddress(address: string): AddressClass {
  const family = isIP(address)
  if (family === 0 || address.includes('%')) return 'never'
  if (family === 4) return look(address, 'ipv4')
  const normal = new URL(`http://[${address}]/`).hostname.slice(1, -1)
  if (normal === '::1') return 'private'
  const inner = carriedIpv4(normal)
  return inner === null ? look(address, 'ipv6') : look(inner, 'ipv4')
}

const look = (address: string, family: 'ipv4' | 'ipv6'): AddressClass =>
  never.check(address, family) ? 'never' : privately.check(address, family) ? 'private' : 'public'

/** The IPv4 address in an IPv4-mapped (`::ffff:a.b.c.d`) or NAT64 (`64:ff9b::a.b.c.d`) one, as the URL parser spells them. */
function carriedIpv4(normal: string): string | null {
  const groups = /^(?:::ffff|64:ff9b:):(?:([0-9a-f]+):)?([0-9a-f]+)$/.exec(normal)
  if (!groups) return normal === '64:ff9b::' ? '0.0.0.0' : null
  const high = Number.parseInt(groups[1] ?? '0', 16)
  const low = Number.parseInt(groups[2] ?? '0', 16)
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}
