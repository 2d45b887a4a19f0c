import type { AttemptKind } from '../errors.ts'

/** What a device's proxy says of itself, as opposed to what the target answered. */
export interface DeviceWord {
  readonly kind: Extract<AttemptKind, 'draining' | 'device_offline' | 'tunnel_refused' | 'target_unreachable'>
  /** False: the target may have acted on the request. */
  readonly isUnforwarded: boolean
}

const DRAINING: DeviceWord = { kind: 'draining', isUnforwarded: true }
const OFFLINE: DeviceWord = { kind: 'device_offline', isUnforwarded: true }
const NOT_THERE: DeviceWord = { kind: 'target_unreachable', isUnforwarded: true }
const UNREACHED: DeviceWord = { kind: 'tunnel_refused', isUnforwarded: true }
const LOST: DeviceWord = { kind: 'tunnel_refused', isUnforwarded: false }

/** The codes of `@mobilepool/sdk/proxy-server` (its statuses.ts) that concern the way to the target, by their meaning for a retry. */
const words: Readonly<Record<string, DeviceWord>> = {
  draining: DRAINING,
  too_many_connections: DRAINING,
  offline: OFFLINE,
  no_device: OFFLINE,
  device_offline: OFFLINE,
  egress_leak: OFFLINE,
  connect_timeout: UNREACHED,
  dns_failed: NOT_THERE,
  connection_refused: NOT_THERE,
  target_refused: NOT_THERE,
  network_unreachable: UNREACHED,
  host_unreachable: UNREACHED,
  connection_reset: LOST,
  broken_pipe: LOST,
  bad_response: LOST,
  idle_timeout: LOST,
  upstream_failed: LOST,
  internal: LOST,
}

/** Reads `x-mobilepool-error`, in which our own proxy says why it answered itself; undefined when the answer is not its own. */
export function deviceSays(statusCode: number, headers: Record<string, string | string[] | undefined>): DeviceWord | undefined {
  const code = statusCode >= 500 ? headers['x-mobilepool-error'] : undefined
  return typeof code === 'string' ? wordOf(code) : undefined
}

/** What a code of our own proxy means for a retry; undefined: it is none that concerns the way to the target. */
export const wordOf = (code: string): DeviceWord | undefined => (Object.hasOwn(words, code) ? words[code] : undefined)
