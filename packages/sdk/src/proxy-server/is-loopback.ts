import { BlockList, isIP, isIPv6 } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether only this machine reaches an address. A name other than localhost is not trusted to be loopback: what it resolves to can change. */
export const isLoopback = (host: string): boolean =>
  isIP(host) === 0 ? host.toLowerCase() === 'localhost' : loopback.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')
