import { execFileSync } from 'node:child_process'

/** Where the internet's hub, site and name server are. */
export const internet = { hub: '192.0.2.80', site: '192.0.2.81', names: '192.0.2.53' } as const
/** The host's own way out, which nothing of the device may take. */
export const HOME = '203.0.113.10'
/** The device's end of the mobile link. */
export const INNER = '10.64.0.2'

/** The same with IPv6, where the carrier has no NAT. */
export const INNER6 = '2001:db8:64::2'
export const SITE6 = '2001:db8:80::81'

/** Runs a program; returns what it printed, throws what it complained of. */
export function run(command: string, input?: string): string {
  const [program = '', ...args] = command.split(' ')
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], ...(input === undefined ? {} : { input }) })
}

/** Why there can be no namespaces here; null: there can. */
export function whyNot(): string | null {
  if (process.getuid?.() !== 0) return 'it needs root'
  for (const tool of ['ip -V', 'nft -v', 'curl -V'])
    try {
      run(tool)
    } catch {
      return `"${tool.split(' ')[0]}" is missing (apt-get install iproute2 nftables curl)`
    }
  return null
}

/**
 * Three network namespaces: a host with a mobile link and a home uplink, the carrier's NAT, and the internet. The host's default route is
 * the home uplink, as on a mini-PC with a stick. Nothing of it touches the machine's own network.
 */
export class CarrierNetwork {
  readonly host: string
  readonly internet: string
  readonly #carrier: string

  constructor() {
    const name = `mpe${process.pid}`
    this.host = `${name}h`
    this.#carrier = `${name}c`
    this.internet = `${name}i`
    for (const space of [this.host, this.#carrier, this.internet]) run(`ip netns add ${space}`)
    run(`ip link add wwan0 netns ${this.host} type veth peer name lan0 netns ${this.#carrier}`)
    run(`ip link add wan0 netns ${this.#carrier} type veth peer name in0 netns ${this.internet}`)
    run(`ip link add eth0 netns ${this.host} type veth peer name in1 netns ${this.internet}`)
    const commands = [
      ...[this.host, this.#carrier, this.internet].map((space) => [space, 'link set lo up']),
      [this.host, `addr add ${INNER}/30 dev wwan0`],
      [this.host, 'link set wwan0 up'],
      [this.host, `addr add ${HOME}/24 dev eth0`],
      [this.host, 'link set eth0 up'],
      [this.host, 'route add default via 203.0.113.254 dev eth0'],
      [this.#carrier, 'addr add 10.64.0.1/30 dev lan0'],
      [this.#carrier, 'link set lan0 up'],
      [this.#carrier, 'addr add 198.51.100.1/24 dev wan0'],
      [this.#carrier, 'link set wan0 up'],
      [this.#carrier, 'route add default via 198.51.100.254'],
      [this.internet, 'addr add 198.51.100.254/24 dev in0'],
      [this.internet, 'link set in0 up'],
      [this.internet, 'addr add 203.0.113.254/24 dev in1'],
      [this.internet, 'link set in1 up'],
      [this.internet, 'route add 198.18.0.0/24 via 198.51.100.1'],
      ...Object.values(internet).map((address) => [this.internet, `addr add ${address}/32 dev lo`]),
    ]
    const commands6 = [
      [this.host, 'addr add 2001:db8:203::10/64 dev eth0 nodad'],
      [this.host, 'route add default via 2001:db8:203::fe dev eth0 metric 100'],
      [this.#carrier, 'addr add 2001:db8:64::1/64 dev lan0 nodad'],
      [this.#carrier, 'addr add 2001:db8:51::1/64 dev wan0 nodad'],
      [this.#carrier, 'route add default via 2001:db8:51::fe'],
      [this.internet, 'addr add 2001:db8:51::fe/64 dev in0 nodad'],
      [this.internet, 'addr add 2001:db8:203::fe/64 dev in1 nodad'],
      [this.internet, 'route add 2001:db8:64::/64 via 2001:db8:51::1'],
      [this.internet, `addr add ${SITE6}/128 dev lo nodad`],
    ]
    for (const [space, command] of commands) run(`ip -n ${space} ${command}`)
    for (const [space, command] of commands6) run(`ip -6 -n ${space} ${command}`)
    run(`ip netns exec ${this.#carrier} sysctl -qw net.ipv6.conf.all.forwarding=1`)
    run(`ip netns exec ${this.#carrier} sysctl -qw net.ipv4.ip_forward=1`)
    // The stricter setting: an answer that comes by another link than the question went is dropped.
    run(`ip netns exec ${this.host} sysctl -qw net.ipv4.conf.all.rp_filter=1`)
    this.setExit('198.18.0.11')
    this.#nft(this.host, 'table ip watch {\nchain out {\ntype filter hook output priority 0\noifname "eth0" counter\n}\n}\n')
  }

  /** What a router advertisement of the carrier brings; it goes with the link. */
  advertise6(): void {
    run(`ip -6 -n ${this.host} addr add ${INNER6}/64 dev wwan0 nodad`)
    run(`ip -6 -n ${this.host} route add default via 2001:db8:64::1 dev wwan0 metric 700`)
  }

  /** The address by which the internet sees the device from now on. */
  setExit(address: string): void {
    const [command, rules] = this.#exitCommand(address)
    run(command, rules)
  }

  /** As `setExit`, as a line for a shell. */
  exitScript(address: string): string {
    const [command, rules] = this.#exitCommand(address)
    return `printf '%s' '${rules}' | ${command}`
  }

  #exitCommand(address: string): [string, string] {
    const rules = `table ip nat\ndelete table ip nat\ntable ip nat {\nchain post {\ntype nat hook postrouting priority 100\noifname "wan0" snat to ${address}\n}\n}\n`
    return [`ip netns exec ${this.#carrier} nft -f -`, rules]
  }

  /** IPv4 packets that the host has sent by its home uplink. */
  get packetsByHome(): number {
    const listing = run(`ip netns exec ${this.host} nft list table ip watch`)
    return Number(/counter packets (\d+)/.exec(listing)?.[1] ?? Number.NaN)
  }

  remove(): void {
    for (const space of [this.host, this.#carrier, this.internet]) run(`ip netns del ${space}`)
  }

  #nft(space: string, rules: string): void {
    run(`ip netns exec ${space} nft -f -`, rules)
  }
}
