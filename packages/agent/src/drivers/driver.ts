import type { Duplex } from 'node:stream'
import type { Camelized, RotationMethod, TelemetryJson } from '@mobilepool/sdk/contract'
import type { ProxyTarget } from '@mobilepool/sdk/proxy-server'

/** One try to get a new address: what is switched off, and for how long. */
export interface Rung {
  readonly method: RotationMethod
  readonly holdMs: number
  /** How long coming online may take afterwards, where that is longer than the ordinary 45 s: a reboot. */
  readonly onlineMs?: number
  /** Only for a rotation that asks for this method: a reboot takes minutes, and may be done a few times a day. */
  readonly isOnRequest?: boolean
}

/** The interface of this host that the device's traffic leaves by. */
interface DeviceLink {
  /** Null: only an address was given, and whoever gave it routes it. */
  readonly name: string | null
  /** The other end, where it is known beforehand. */
  readonly gateway: string | null
  /** Its IPv6 address that the internet can answer, if any. */
  address6(): string | null
}

/** What a device says of itself. */
export interface DeviceStatus {
  readonly sim: 'ready' | 'missing' | 'locked' | 'unknown'
  /** Whether the radio is switched off (airplane mode, data off). */
  readonly isDown: boolean
  readonly telemetry: Camelized<TelemetryJson>
}

/**
 * A way to control one device (reference: device-control.md 1.0). The agent calls one method at a time, each under a time-out; the signal
 * says when it is over. A driver throws `AgentError` with the reason why a rotation fails: `device_unreachable`, `permission_denied`,
 * `auth_failed`, `no_registration`, `no_data_session` ...
 */
export interface DeviceDriver {
  /** The longest that one call may take, in ms, where that is not the ordinary 10 s. */
  readonly callTimeoutMs?: number
  /** The tries to make, in order: methods that were found to work on this device, the mildest first. */
  ladder(signal: AbortSignal): Promise<readonly Rung[]>
  status(signal: AbortSignal): Promise<DeviceStatus>
  /** Switches the data connection off; resolves when it is really off. */
  down(rung: Rung, signal: AbortSignal): Promise<void>
  /** Switches everything on again that any `down()` may have switched off. May be called at any time, any number of times. */
  up(signal: AbortSignal): Promise<void>
  /** Resolves when the device is registered and has a data session and an address. */
  waitOnline(signal: AbortSignal): Promise<void>
  /** The local address of the mobile interface, which all traffic must leave by; null while there is none. */
  sourceAddress(): string | null
  /** Where the device is an interface of this host: the agent routes what has its address by it. */
  readonly link?: DeviceLink
  /** The carrier's name servers as the device knows them now, the first to be asked first. */
  nameServers?(): readonly string[]
  /** Addresses of the host itself: one of them seen as the exit IP means that traffic leaves by the wrong interface. */
  readonly hostAddresses: readonly string[]
  /** What the device's link does to a connection. Left out where the kernel's own sockets are the link; the simulator loses bytes here. */
  carry?(connection: Duplex, target: ProxyTarget): Duplex
  /** Gives back what it holds (a port, a process); nothing is called afterwards. */
  close?(): Promise<void>
}
