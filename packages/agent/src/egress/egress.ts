import { connect, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createTargetPolicy, ProxyError, type ProxyTarget } from '@mobilepool/sdk/proxy-server'
import type { DeviceDriver } from '../drivers/driver.ts'
import type { DeviceResolver, Sources } from './resolver.ts'
import type { PolicyRoutes } from './routing/policy-routes.ts'

/** A name's further addresses are tried when the first does not answer; more than this only keep the client waiting. */
const MAX_ADDRESSES = 3
/** One address's time: a SYN is repeated after 1 and 3 s. */
const DIAL_TIMEOUT_MS = 8_000
const KEEP_ALIVE_MS = 30_000

/** The device's own way out. Everything of the agent goes through it: proxied traffic, heartbeats, probes. */
export interface Egress {
  /**
   * Opens a connection by the mobile interface, or not at all. Throws `ProxyError` `offline`, `target_refused` or `egress_leak`, and
   * Node's errors of DNS and TCP.
   * @param asks `parser`: the target is guarded; `agent`: it is the hub, wherever that is
   */
  open(target: ProxyTarget, asks: 'parser' | 'agent', signal: AbortSignal): Promise<Duplex>
  /** Whether a name server answers through the device, whatever it says: then the device is online, although the hub may be away. */
  hasNameServer(): Promise<boolean>
  /** The device is about to have another address: names and routes are found anew behind it. */
  reset(): void
  /** Takes back what was set in the kernel. Never throws. */
  close(): Promise<void>
}

/** One version of IP of the device's link. */
export interface Way {
  readonly version: 4 | 6
  /** The local address to leave from; null while there is none. */
  source(): string | null
  /** Null: whoever configured the device has routed it. */
  readonly routes: Pick<PolicyRoutes, 'ready' | 'repair' | 'forget' | 'close'> | null
}

/** A way that has an address now. */
interface OpenWay extends Way {
  readonly from: string
}

/** Makes the egress of one device. `ways`: the first is preferred where a target can be reached by several. */
export function createEgress(parts: {
  ways: readonly Way[]
  carry?: DeviceDriver['carry']
  resolver: DeviceResolver
  /** Lets parsers reach private, loopback and other special addresses; link-local and metadata ones never. */
  allowPrivateTargets: boolean
}): Egress {
  const { ways, carry, resolver, allowPrivateTargets } = parts
  const policy = createTargetPolicy({ allowPrivate: allowPrivateTargets })
  const connectBy = async (
    open: readonly OpenWay[],
    target: ProxyTarget,
    asks: 'parser' | 'agent',
    signal: AbortSignal,
  ): Promise<Socket> => {
    const resolved = await resolver.resolve(target.host, sourcesOf(open))
    const allowed = asks === 'agent' ? resolved : resolved.filter(policy.allowsAddress)
    if (allowed.length === 0) {
      throw new ProxyError('target_refused', `${target.host} is not on the public internet: this device connects only to public addresses.`)
    }
    const reachable = allowed.flatMap((address) => {
      const way = open.find(({ version }) => version === isIP(address))
      return way ? [{ address, from: way.from }] : []
    })
    if (reachable.length === 0) throw new ProxyError('upstream_failed', "The device has no address of the target's IP version.")
    return dialFirst(reachable.slice(0, MAX_ADDRESSES), target.port, signal)
  }
  return {
    async open(target, asks, signal) {
      const open = await routed(ways)
      const socket = await connectBy(open, target, asks, signal).catch(async (error: NodeJS.ErrnoException) => {
        // The link was down for a moment, and its routes went with it.
        if (signal.aborted || !isUnrouted(error) || !(await repaired(open))) throw error
        return connectBy(open, target, asks, signal)
      })
      return carry?.(socket, target) ?? socket
    },
    async hasNameServer() {
      try {
        return await resolver.isAnswered(sourcesOf(await routed(ways)))
      } catch {
        return false
      }
    },
    reset: () => {
      resolver.flush()
      for (const { routes } of ways) routes?.forget()
    },
    close: async () => {
      resolver.flush()
      await Promise.all(ways.map(({ routes }) => routes?.close()))
    },
  }
}

const sourcesOf = (open: readonly OpenWay[]): Sources => {
  const of = (version: 4 | 6): string | null => open.find((way) => way.version === version)?.from ?? null
  return { v4: of(4), v6: of(6) }
}

/** The ways that can be taken now. Throws `offline` when there is none. */
async function routed(ways: readonly Way[]): Promise<readonly OpenWay[]> {
  let why: unknown = null
  const open: OpenWay[] = []
  for (const way of ways) {
    const from = way.source()
    if (from === null) continue
    try {
      await way.routes?.ready(from)
      open.push({ ...way, from })
    } catch (error) {
      why ??= error
    }
  }
  if (open.length > 0) return open
  throw new ProxyError('offline', why instanceof Error ? why.message : 'The device has no network now.', { cause: why })
}

async function repaired(open: readonly OpenWay[]): Promise<boolean> {
  const changed = await Promise.all(open.map(({ routes, from }) => routes?.repair(from).catch(() => false) ?? false))
  return changed.includes(true)
}

/** What a missing route looks like to a connection, and to a question to a name server (whose errors have a `syscall` like `queryA`). */
const isUnrouted = ({ code, syscall }: NodeJS.ErrnoException): boolean =>
  syscall?.startsWith('query') ? code === 'ECONNREFUSED' || code === 'ETIMEOUT' : code === 'EHOSTUNREACH' || code === 'ENETUNREACH'

async function dialFirst(addresses: readonly { address: string; from: string }[], port: number, signal: AbortSignal): Promise<Socket> {
  let failure: unknown
  for (const { address, from } of addresses) {
    try {
      return await dial(address, port, from, signal)
    } catch (error) {
      if (signal.aborted || error instanceof ProxyError) throw error
      failure = error
    }
  }
  throw failure
}

function dial(host: string, port: number, source: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const socket = connect({
      host,
      port,
      localAddress: source,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    })
    const settle = (error: unknown): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.off('error', settle)
      if (error) {
        socket.on('error', () => {}).destroy()
        reject(error)
      } else resolve(socket)
    }
    const onAbort = (): void => settle(signal.reason)
    const timer = setTimeout(() => settle(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })), DIAL_TIMEOUT_MS)
    signal.addEventListener('abort', onAbort)
    socket.once('error', settle)
    socket.once('connect', () => {
      // The kernel binds what it is told, so this cannot happen; if it ever does, not one byte may leave.
      const isBound = socket.localAddress === source
      settle(isBound ? null : new ProxyError('egress_leak', "The connection left by another address than the device's."))
    })
  })
}
