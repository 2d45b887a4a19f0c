import { execFileSync } from 'node:child_process'

/** Where the hub and the device are, and what the carrier is seen by. */
export const HUB_ADDRESS = '10.77.1.2'
const CARRIER = ['10.77.1.1', '10.77.1.3']

const run = (command: string, input?: string): string => {
  const [program = '', ...args] = command.split(' ')
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], ...(input === undefined ? {} : { input }) })
}

/** Why there can be no namespaces here; null: there can. */
export function whyNot(): string | null {
  if (process.getuid?.() !== 0) return 'it needs root'
  for (const tool of ['ip -V', 'nft -v'])
    try {
      run(tool)
    } catch {
      return `"${tool.split(' ')[0]}" is missing (apt-get install iproute2 nftables)`
    }
  return null
}

/** Hub and device apart, a carrier's NAT between them: the device reaches the hub, the hub has no route to the device. */
export class Namespaces {
  readonly hub: string
  readonly device: string
  readonly #nat: string
  #turn = 0

  /** Of names of its own, so that two runs do not meet. */
  constructor(name = `mp${process.pid}`) {
    this.hub = `${name}h`
    this.#nat = `${name}n`
    this.device = `${name}d`
    for (const space of [this.hub, this.#nat, this.device]) run(`ip netns add ${space}`)
    run(`ip link add wan0 netns ${this.#nat} type veth peer name eth0 netns ${this.hub}`)
    run(`ip link add lan0 netns ${this.#nat} type veth peer name wwan0 netns ${this.device}`)
    const commands = [
      [this.hub, `addr add ${HUB_ADDRESS}/24 dev eth0`],
      [this.hub, 'link set eth0 up'],
      [this.hub, 'link set lo up'],
      [this.#nat, `addr add ${CARRIER[0]}/24 dev wan0`],
      [this.#nat, 'addr add 10.77.2.1/24 dev lan0'],
      [this.#nat, 'link set wan0 up'],
      [this.#nat, 'link set lan0 up'],
      [this.device, 'addr add 10.77.2.2/24 dev wwan0'],
      [this.device, 'link set wwan0 up'],
      [this.device, 'link set lo up'],
      [this.device, 'route add default via 10.77.2.1'],
    ]
    for (const [space, command] of commands) run(`ip -n ${space} ${command}`)
    run(`ip netns exec ${this.#nat} sysctl -qw net.ipv4.ip_forward=1`)
    const rules = 'table ip nat {\nchain post {\ntype nat hook postrouting priority 100\noifname "wan0" masquerade\n}\n}\n'
    run(`ip netns exec ${this.#nat} nft -f -`, rules)
  }

  /** The carrier's address, that sites see. */
  get carrier(): string {
    return CARRIER[this.#turn % 2] ?? ''
  }

  /** Whether the hub could dial the device. */
  get hasRouteToDevice(): boolean {
    try {
      run(`ip -n ${this.hub} route get 10.77.2.2`)
      return true
    } catch {
      return false
    }
  }

  setLink(state: 'up' | 'down'): void {
    run(`ip -n ${this.#nat} link set lan0 ${state}`)
  }

  /** The carrier forgets its mappings and has another address from now on: what was open leads nowhere, without a word. */
  rebind(): void {
    const old = this.carrier
    this.#turn += 1
    run(`ip -n ${this.#nat} addr add ${this.carrier}/24 dev wan0`)
    run(`ip -n ${this.#nat} addr del ${old}/24 dev wan0`)
    // The second address of a network goes with its first.
    if (!run(`ip -n ${this.#nat} -4 addr show dev wan0`).includes(this.carrier))
      run(`ip -n ${this.#nat} addr add ${this.carrier}/24 dev wan0`)
  }

  remove(): void {
    for (const space of [this.hub, this.#nat, this.device]) run(`ip netns del ${space}`)
  }
}
