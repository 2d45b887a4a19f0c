import { isIPv4 } from 'node:net'

/** What is ours bears this number as its `protocol`, of those that iproute2 leaves free (/etc/iproute2/rt_protos); all else is foreign. */
export const OUR_PROTOCOL = '77'
/** Before the main table (32766), behind the host's own addresses (0), and on Android before netd's rules (10000). */
const RULE_PRIORITY = '9000'
/** IPv6 routes always have a metric, this one if none is given. */
const METRIC_6 = '1024'
/** As the kernel's own VRF guide has it: the last that is taken. */
const LAST_METRIC = '4278198272'

/** The mobile interface as the kernel knows it. */
export interface LinkFacts {
  readonly name: string
  /** The address that the device's traffic leaves by. */
  readonly address: string
  /** Bits of its network; all of them (32, or 128 with IPv6): there is no network around it. */
  readonly prefixLength: number
  /** Where traffic goes on this link; null: the link has only one other end. */
  readonly gateway: string | null
}

/** A route or a rule: what identifies it, and its whole in the words of `ip`. */
export interface RouteEntry {
  readonly kind: 'rule' | 'route'
  readonly words: readonly string[]
}

/**
 * The routing table of a device, from the name of its interface: the same after each re-plug and restart, and its own. 24 bits of a hash
 * (FNV-1a) behind a fixed first byte: for 200 interfaces of a host the odds of a meeting are 1 in 800.
 */
export function tableOf(interfaceName: string): string {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(interfaceName)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return String(0x4d000000 + ((hash ^ (hash >>> 24)) & 0xffffff))
}

/**
 * All that makes traffic from the device's address leave by its interface, or not at all: where the link has gone, the last route of the
 * table refuses what would otherwise fall through to the host's own way out.
 */
export function desiredRoutes(link: LinkFacts): RouteEntry[] {
  const { name, address, prefixLength, gateway } = link
  const table = tableOf(name)
  const metric = isIPv4(address) ? [] : ['metric', METRIC_6]
  const tail = ['dev', name, 'table', table, 'protocol', OUR_PROTOCOL, 'src', address, ...metric]
  // IPv6 routes have no scope.
  const onThisLink = isIPv4(address) ? ['scope', 'link'] : []
  const routes: RouteEntry[] = []
  // Sticks of one make all have the same network: it is looked for on this link only.
  if (prefixLength < (isIPv4(address) ? 32 : 128))
    routes.push({ kind: 'route', words: [networkOf(address, prefixLength), ...tail, ...onThisLink] })
  const way = gateway === null ? [] : ['via', gateway]
  const onlink = gateway === null ? onThisLink : ['onlink']
  routes.push({ kind: 'route', words: ['default', ...way, ...tail, ...onlink] })
  routes.push({ kind: 'route', words: ['unreachable', 'default', 'table', table, 'protocol', OUR_PROTOCOL, 'metric', LAST_METRIC] })
  return [...routes, ruleOf(address, table)]
}

const ruleOf = (address: string, table: string): RouteEntry => ({
  kind: 'rule',
  words: ['from', address, 'lookup', table, 'priority', RULE_PRIORITY, 'protocol', OUR_PROTOCOL],
})

/** A route or a rule as `ip -json` prints it, as far as it is read. */
export interface PrintedRoute {
  readonly type?: string | undefined
  readonly dst?: string | undefined
  readonly gateway?: string | undefined
  readonly dev?: string | undefined
  readonly table?: string | undefined
  readonly prefsrc?: string | undefined
  readonly scope?: string | undefined
  readonly protocol?: string | undefined
  readonly metric?: number | undefined
  readonly flags?: readonly string[] | undefined
}
export interface PrintedRule {
  readonly src?: string | undefined
  readonly srclen?: number | undefined
  readonly table?: string | undefined
  readonly priority?: number | undefined
  readonly protocol?: string | undefined
}

/** A printed rule in the words that would delete it; null: it is not of this table, or not ours. */
export function ownRule(rule: PrintedRule, table: string): RouteEntry | null {
  if (rule.protocol !== OUR_PROTOCOL || rule.table !== table || rule.src === undefined) return null
  const from = rule.srclen === undefined ? rule.src : `${rule.src}/${rule.srclen}`
  return { kind: 'rule', words: ['from', from, 'lookup', table, 'priority', String(rule.priority), 'protocol', OUR_PROTOCOL] }
}

/** As `ownRule`, for a route of the listing of all tables with our protocol. */
export function ownRoute(route: PrintedRoute, table: string): RouteEntry | null {
  if (route.table !== table || route.dst === undefined) return null
  const tail = ['table', table, 'protocol', OUR_PROTOCOL]
  if (route.type === 'unreachable') return { kind: 'route', words: ['unreachable', route.dst, ...tail, 'metric', String(route.metric)] }
  const via = route.gateway === undefined ? [] : ['via', route.gateway]
  const source = route.prefsrc === undefined ? [] : ['src', route.prefsrc]
  const onlink = route.flags?.includes('onlink') ? ['onlink'] : []
  const scope = route.scope === undefined ? [] : ['scope', route.scope]
  const metric = route.metric === undefined ? [] : ['metric', String(route.metric)]
  return { kind: 'route', words: [route.dst, ...via, 'dev', route.dev ?? '', ...tail, ...source, ...metric, ...scope, ...onlink] }
}

/** What to do, in order, so that at no moment traffic of the present address has a way that is not the device's. */
export function changes(
  present: readonly RouteEntry[],
  desired: readonly RouteEntry[],
): { verb: 'replace' | 'add' | 'delete'; entry: RouteEntry }[] {
  const has = (list: readonly RouteEntry[], entry: RouteEntry): boolean => list.some((other) => sameWords(other, entry))
  const missing = desired.filter((entry) => !has(present, entry))
  const left = present.filter((entry) => !has(desired, entry))
  // A route that a new one has replaced is no longer there to be deleted.
  const isReplaced = (old: RouteEntry): boolean =>
    old.kind === 'route' && missing.some((entry) => entry.kind === 'route' && entry.words[0] === old.words[0])
  return [
    ...missing.filter(({ kind }) => kind === 'route').map((entry) => ({ verb: 'replace' as const, entry })),
    ...missing.filter(({ kind }) => kind === 'rule').map((entry) => ({ verb: 'add' as const, entry })),
    ...left.filter(({ kind }) => kind === 'rule').map((entry) => ({ verb: 'delete' as const, entry })),
    ...left.filter((entry) => entry.kind === 'route' && !isReplaced(entry)).map((entry) => ({ verb: 'delete' as const, entry })),
  ]
}

/** The words of a route come in pairs, whose order says nothing. */
const sameWords = (one: RouteEntry, other: RouteEntry): boolean =>
  one.kind === other.kind && one.words.toSorted().join(' ') === other.words.toSorted().join(' ')

/** The network around an address, as `ip` prints it. */
function networkOf(address: string, prefixLength: number): string {
  const isFour = isIPv4(address)
  const [size, hostBits] = isFour ? [32, 32 - prefixLength] : [128, 128 - prefixLength]
  const first = (bitsOf(address) >> BigInt(hostBits)) << BigInt(hostBits)
  const parts = (count: number, bits: number): bigint[] =>
    Array.from({ length: count }, (_, at) => (first >> BigInt(size - bits * (at + 1))) & ((1n << BigInt(bits)) - 1n))
  const text = isFour ? parts(4, 8).join('.') : shortened(parts(8, 16).map((part) => part.toString(16)))
  return `${text}/${prefixLength}`
}

function bitsOf(address: string): bigint {
  if (isIPv4(address)) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
  const [head = '', tail = ''] = address.split('::')
  const [front, back] = [head, tail].map((half) => (half === '' ? [] : half.split(':')))
  const zeros = Array.from({ length: 8 - (front?.length ?? 0) - (back?.length ?? 0) }, () => '0')
  return [...(front ?? []), ...zeros, ...(back ?? [])].reduce((sum, part) => (sum << 16n) + BigInt(`0x${part}`), 0n)
}

/** RFC 5952: the URL parser's serializer does it. */
const shortened = (parts: readonly string[]): string => new URL(`http://[${parts.join(':')}]`).hostname.slice(1, -1)
