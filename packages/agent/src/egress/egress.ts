import { connect, isIPv4, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createTargetPolicy, ProxyError, type ProxyTarget } from '@mobilepool/sdk/proxy-server'
import type { DeviceDriver } from '../drivers/driver.ts'
import type { DeviceResolver } from './resolver.ts'

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
}

/** Makes the egress of one device. */
export function createEgress(parts: {
  driver: Pick<DeviceDriver, 'sourceAddress' | 'carry'>
  resolver: DeviceResolver
  /** Lets parsers reach private, loopback and other special addresses; link-local and metadata ones never. */
  allowPrivateTargets: boolean
}): Egress {
  const { driver, resolver, allowPrivateTargets } = parts
  const policy = createTargetPolicy({ allowPrivate: allowPrivateTargets })
  return {
    async open(target, asks, signal) {
      const source = driver.sourceAddress()
      if (source === null) throw new ProxyError('offline', 'The device has no network now.')
      const resolved = await resolver.resolve(target.host, source)
      const allowed = asks === 'agent' ? resolved : resolved.filter(policy.allowsAddress)
      if (allowed.length === 0) {
        throw new ProxyError(
          'target_refused',
          `${target.host} is not on the public internet: this device connects only to public addresses.`,
        )
      }
      const reachable = allowed.filter((address) => isIPv4(address) === isIPv4(source))
      if (reachable.length === 0) throw new ProxyError('upstream_failed', "The device has no address of the target's IP version.")
      const socket = await dialFirst(reachable.slice(0, MAX_ADDRESSES), target.port, source, signal)
      return driver.carry?.(socket, target) ?? socket
    },
  }
}

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
