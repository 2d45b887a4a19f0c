import type { Socket } from 'node:net'
import type { TunnelOffer } from '@mobilepool/sdk/contract'
import { ProxyError, type ProxyTarget } from '@mobilepool/sdk/proxy-server'
import type { TunnelStream } from '@mobilepool/sdk/tunnel'
import type { Logger } from 'pino'
import type { Refusal } from '../errors.ts'
import type { TunnelStatus } from '../fleet/device.ts'
import { type CommandPorts, carryOrders } from './control.ts'
import { DeviceTunnel } from './device-tunnel.ts'
import { TunnelSession } from './session.ts'

/** Connections under way at a stop may take this long to end. */
const DRAIN_MS = 3_000
const DRAIN_LOOK_MS = 20

interface TunnelOptions {
  /** Between two pings of a session in use, and for the answer to each, ms. */
  pingMs: number
  /** Connections through one device at a time. */
  maxStreams: number
}

export interface RegistryParts {
  options: TunnelOptions
  commands: CommandPorts
  log: Logger
  now: () => number
  /** A tunnel was connected, or is no longer. */
  onChange: (deviceId: string) => void
}

/** A dial whose key and numbers were found to be good, and that has been told so. */
export interface Accepted {
  deviceId: string
  keyId: string | null
  address: string
  offer: TunnelOffer
  socket: Socket
}

/**
 * The tunnels that agents have dialled to this hub, by device. The gateway reaches a device that it cannot dial with `connect()`.
 * Bounded: 16 sessions a device (its slots), `maxStreams` connections a device; what is remembered of a device ends with it.
 */
export class TunnelRegistry {
  readonly #parts: RegistryParts
  readonly #tunnels = new Map<string, DeviceTunnel>()
  #isClosing: boolean = false
  /** Since the start, for /metrics. */
  readonly totals = { sessionsOpened: 0, sessionsLost: 0, streamsOpened: 0, streamsRefused: 0 }

  constructor(parts: RegistryParts) {
    this.#parts = parts
  }

  /** Why a dial is not taken; null: it is. */
  refusalOf(deviceId: string, offer: TunnelOffer): (Refusal & { generation?: number }) | null {
    if (this.#isClosing) return { code: 'too_many_requests', detail: 'The hub is stopping: dial again.', retryAfter: 1 }
    const tunnel = this.#tunnels.get(deviceId)
    if (!tunnel?.judge(offer).isStale) return null
    const detail = `Sessions of generation ${tunnel.generation} are newer than this dial.`
    return { code: 'tunnel_stale', detail, generation: tunnel.generation }
  }

  /** Takes a session, in the place of those that it replaces. */
  accept({ deviceId, offer, ...connection }: Accepted): void {
    const { options, commands, log, now, onChange } = this.#parts
    const tunnel = this.#tunnelOf(deviceId)
    const verdict = tunnel.judge(offer)
    if (verdict.isStale || this.#isClosing) {
      connection.socket.destroy()
      return
    }
    tunnel.generation = offer.generation
    const wasConnected = tunnel.isConnected
    const onEnd = (session: TunnelSession, reason: string): void => this.#remove(tunnel, session, reason)
    // Of several sessions the newest generation's alone tell where the device is.
    const onAlive = (alive: TunnelSession): void => {
      if (tunnel.control === alive) commands.alive(deviceId, alive.address)
    }
    const session = new TunnelSession({ ...connection, offer, pingMs: options.pingMs, now, onAlive, onEnd })
    // Before the older ones go, so that the device is never without.
    tunnel.open.add(session)
    this.totals.sessionsOpened += 1
    for (const old of verdict.replaces) old.end('replaced by a newer session')
    if (!wasConnected) tunnel.since = now()
    log.debug({ deviceId, ...offer, address: session.address }, 'tunnel session')
    if (!wasConnected) onChange(deviceId)
    this.#control(tunnel)
  }

  /**
   * Opens a connection to a target through the device, for the gateway: the stream behaves like a socket with `allowHalfOpen`, a reset is
   * an `error`. Names are resolved by the device, which refuses what is not on the public internet.
   *
   * Throws `ProxyError`, whose code says whose fault it is:
   * - the device's, nothing was forwarded, try another: `offline` (no session, or lost while connecting), `draining`, `egress_leak`,
   *   `too_many_connections`
   * - the target's: `connection_refused`, `connection_reset`, `dns_failed`, `connect_timeout`, `target_refused`, `upstream_failed`
   *
   * and the signal's reason when it aborts; the device's dial is given up then.
   */
  async connect(deviceId: string, target: ProxyTarget, signal: AbortSignal): Promise<TunnelStream> {
    signal.throwIfAborted()
    try {
      const stream = await this.#sessionFor(deviceId).open(target, signal)
      this.totals.streamsOpened += 1
      return stream
    } catch (error) {
      this.totals.streamsRefused += 1
      throw error
    }
  }

  /** Whether `connect()` has a session to go through now. */
  has(deviceId: string): boolean {
    return this.#tunnels.get(deviceId)?.isConnected ?? false
  }

  /** How the device's tunnel stands, at any time later too; null: it has had none since this start. */
  status(deviceId: string): TunnelStatus | null {
    return this.#tunnels.get(deviceId) ?? null
  }

  /** What there is now, over all devices. */
  counts(): { devices: number; sessions: number; streams: number } {
    const counts = { devices: 0, sessions: 0, streams: 0 }
    for (const tunnel of this.#tunnels.values()) {
      if (tunnel.isConnected) counts.devices += 1
      counts.sessions += tunnel.sessions
      counts.streams += tunnel.streams
    }
    return counts
  }

  /** A device was removed. */
  forget(deviceId: string): void {
    const tunnel = this.#tunnels.get(deviceId)
    this.#tunnels.delete(deviceId)
    for (const session of tunnel?.open ?? []) session.end('the device was removed')
  }

  /** A key was revoked: what came with it ends. */
  endOf(keyId: string): void {
    for (const tunnel of this.#tunnels.values())
      for (const session of tunnel.open) if (session.keyId === keyId) session.end('its key was revoked')
  }

  /** Takes no more sessions and connections, lets those under way end for a moment, then ends what is left. */
  async close(): Promise<void> {
    this.#isClosing = true
    const until = Date.now() + DRAIN_MS
    while (this.counts().streams > 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS))
    for (const tunnel of this.#tunnels.values()) for (const session of tunnel.open) session.end('the hub stops')
  }

  #sessionFor(deviceId: string): TunnelSession {
    if (this.#isClosing) throw new ProxyError('draining', 'The hub is stopping.')
    const tunnel = this.#tunnels.get(deviceId)
    const session = tunnel?.leastActive()
    if (!tunnel || !session) throw new ProxyError('offline', 'The device has no tunnel to this hub now.')
    const { maxStreams } = this.#parts.options
    if (tunnel.streams >= maxStreams)
      throw new ProxyError('too_many_connections', `${maxStreams} connections go through this device already (TUNNEL_MAX_STREAMS).`)
    return session
  }

  #tunnelOf(deviceId: string): DeviceTunnel {
    const known = this.#tunnels.get(deviceId)
    if (known) return known
    const tunnel = new DeviceTunnel(deviceId, this.#parts.now())
    this.#tunnels.set(deviceId, tunnel)
    return tunnel
  }

  #remove(tunnel: DeviceTunnel, session: TunnelSession, reason: string): void {
    const { log, now, onChange } = this.#parts
    if (!tunnel.open.delete(session)) return
    this.totals.sessionsLost += 1
    log.debug({ deviceId: tunnel.deviceId, ...session.offer, reason }, 'tunnel session over')
    if (!tunnel.isConnected) {
      tunnel.since = now()
      if (this.#tunnels.has(tunnel.deviceId)) onChange(tunnel.deviceId)
    }
    if (tunnel.control === session) this.#control(tunnel)
  }

  /** Orders go by one session of the newest generation; where that is over, by another. */
  #control(tunnel: DeviceTunnel): void {
    if (tunnel.control && !tunnel.control.isOver && tunnel.control.offer.generation === tunnel.generation) return
    const [session] = tunnel.open
    tunnel.control = this.#isClosing ? null : (session ?? null)
    if (tunnel.control) carryOrders(tunnel.control, tunnel.deviceId, { ports: this.#parts.commands, log: this.#parts.log })
  }
}
