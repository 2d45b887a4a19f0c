import { connect, isIPv4, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createTargetPolicy, ProxyError, type ProxyTarget } from '@mobilepool/sdk/proxy-server'
import type { DeviceDriver } from '../drivers/driver.ts'
import type { DeviceResolver } from './resolver.ts'
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
  /** The device is about to have another address: names and routes are found anew behind it. */
  reset(): void
  /** Takes back what was set in the kernel. Never throws. */
  close(): Promise<void>
}

/** Makes the egress of one device. */
export function createEgress(parts: {
  driver: Pick<DeviceDriver, 'sourceAddress' | 'carry'>
  resolver: DeviceResolver
  /** Null: whoever configured the device has routed it. */
  routes: Pick<PolicyRoutes, 'ready' | 'repair' | 'forget' | 'close'> | null
  /** Lets parsers reach private, loopback and other special addresses; link-local and metadata ones never. */
  allowPrivateTargets: boolean
}): Egress {
  const { driver, resolver, routes, allowPrivateTargets } = parts
  const policy = createTargetPolicy({ allowPrivate: allowPrivateTargets })
  const connectFrom = async (source: string, target: ProxyTarget, asks: 'parser' | 'agent', signal: AbortSignal): Promise<Socket> => {
    const resolved = await resolver.resolve(target.host, source)
    const allowed = asks === 'agent' ? resolved : resolved.filter(policy.allowsAddress)
    if (allowed.length === 0) {
      throw new ProxyError('target_refused', `${target.host} is not on the public internet: this device connects only to public addresses.`)
    }
    const reachable = allowed.filter((address) => isIPv4(address) === isIPv4(source))
    if (reachable.length === 0) throw new ProxyError('upstream_failed', "The device has no address of the target's IP version.")
    return dialFirst(reachable.slice(0, MAX_ADDRESSES), target.port, source, signal)
  }
  return {
    async open(target, asks, signal) {
      const source = driver.sourceAddress()
      if (source === null) throw new ProxyError('offline', 'The device has no network now.')
      await routes?.ready(source).catch(asOffline)
      const socket = await connectFrom(source, target, asks, signal).catch(async (error: NodeJS.ErrnoException) => {
        // The link was down for a moment, and its routes went with it.
        if (!routes || signal.aborted || !isUnrouted(error) || !(await routes.repair(source).catch(() => false))) throw error
        return connectFrom(source, target, asks, signal)
      })
      return driver.carry?.(socket, target) ?? socket
    },
    reset: () => {
      resolver.flush()
      routes?.forget()
    },
    close: async () => {
      resolver.flush()
      await routes?.close()
    },
  }
}

function asOffline(error: unknown): never {
  throw new ProxyError('offline', (error as Error).message, { cause: error })
}

/** What a missing route looks like to a connection, and to a question to a name server (whose errors have a `syscall` like `queryA`). */
const isUnrouted = ({ code, syscall }: NodeJS.ErrnoException): boolean =>
  syscall?.startsWith('query') ? code === 'ECONNREFUSED' || code === 'ETIMEOUT' : code === 'EHOSTUNREACH' || code === 'ENETUNREACH'

async function dialFirst(addresses: readonly string[], port: number, source: string, signal: AbortSignal): Promise<Socket> {
  let failure: unknown
  for (const address of addresses) {
    try {
      return await dial(address, port, source, signal)
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
