import type { Duplex } from 'node:stream'
import type { AttemptKind } from '../errors.ts'
import type { DeviceRef } from '../events.ts'
import type { TunnelUpgrade } from './open-tunnel.ts'

/** Where bytes are to go. */
export interface PathTarget {
  /** A name or an address, without the brackets of IPv6. Names are resolved by the device. */
  readonly hostname: string
  readonly port: number
  /** A plain http: request is what will be sent: a device may then serve it in absolute form. */
  readonly isPlainHttp: boolean
  /**
   * Makes of the tunnel what the target speaks (TLS); the path's socket is then its result. It shares the time limit of connecting, and
   * its failure sends the search on to another device. @default the raw tunnel
   */
  readonly upgrade?: TunnelUpgrade
}

/** Asked when a device is chosen: a released path through it, still open, that leads where this one is to lead; it is used again. */
export type PathReuse = (deviceId: string) => Path | undefined

/** A way to a target through one device, for bytes that are not a `dispatch()` call. It stands: nothing was sent on it yet. */
export interface Path {
  readonly device: DeviceRef
  /** The exit IP that the device had when the path was opened; null: not known. */
  readonly exitIp: string | null
  /**
   * The connection. It belongs to the device's generation: a rotation waits for it up to `rotate.drainMs` and then destroys it with
   * `MP_DEVICE_ROTATED`. It has an `error` listener, so that an error which nobody listens for does not end the process.
   */
  readonly socket: Duplex
  /** The socket leads to the device's own HTTP proxy, which wants requests in absolute form; false: it is a tunnel to the target. */
  readonly isForward: boolean
  /** Value of `Proxy-Authorization` for a forward path; null: none is wanted, or the path is a tunnel. */
  readonly authorization: string | null
  /** How many devices were asked for it. */
  readonly attempts: number
  /** Its connection has served before: the other side may have closed it without our knowing yet. */
  readonly isReused: boolean
  /**
   * Told when the session or lease that it was opened for has lost the exit IP it was promised; whoever uses the path decides whether what
   * is under way may end. @default null: nothing happens, the rotation itself ends it after its grace
   */
  onCut: ((reason: Error) => void) | null
  /**
   * Says what came of it, so that the device's record is right: `answered` for a whole answer, `no_response` and the like for a failure.
   * Once; left out, bytes that came back count as an answer when the socket closes.
   */
  conclude(kind: AttemptKind): void
  /**
   * Gives the device's place back. The socket may live on, idle: a drain of the device then closes it at once.
   * Closing the socket does this too.
   */
  release(): void
}
