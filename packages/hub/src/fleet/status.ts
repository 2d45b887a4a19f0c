import type { DeviceStatus } from '@mobilepool/sdk/contract'
import type { Device } from './device.ts'
import { isPending } from './device.ts'

/** Silence that takes a device offline, ms. */
export interface Timeouts {
  agentMs: number
  bareMs: number
}

/**
 * Since when the hub has been listening without a gap, and when it listened last before that (null: never).
 * Its own absence must not be held against the devices. Times in ms.
 */
export interface Watch {
  since: number
  before: number | null
}

type Heard = Pick<Device, 'kind' | 'lastHeartbeat'>

/** How long the device may be silent, ms. */
const timeoutOf = ({ kind }: Heard, timeouts: Timeouts): number => (kind === 'agent' ? timeouts.agentMs : timeouts.bareMs)

/**
 * The moment from which a device's silence is counted; null when it was never heard. Of a device that was alive when the hub last
 * listened it is the moment when the hub listens again; one that was silent already stays so.
 */
export function silentFrom(device: Heard, watch: Watch, timeouts: Timeouts): number | null {
  const { lastHeartbeat } = device
  if (lastHeartbeat === null) return null
  const wasAliveBefore = lastHeartbeat < watch.since && watch.before !== null && watch.before - lastHeartbeat < timeoutOf(device, timeouts)
  return wasAliveBefore ? watch.since : lastHeartbeat
}

/** Whether a device has been silent for too long. */
export function isSilent(device: Heard, now: number, watch: Watch, timeouts: Timeouts): boolean {
  const from = silentFrom(device, watch, timeouts)
  return from === null || now - from >= timeoutOf(device, timeouts)
}

/** Whether a device with this status takes requests, now or as soon as one of its own is over. */
export const isUp = (status: DeviceStatus): boolean => status === 'online' || status === 'busy'

/** A device's status: derived, never stored. `isFull`: the gateway has as many requests under way on it as it may have. */
export function statusOf(device: Device, now: number, watch: Watch, timeouts: Timeouts, isFull = false): DeviceStatus {
  if (isPending(device)) return 'pending'
  if (device.maintenance) return 'maintenance'
  if (device.rotation !== null && device.rotation.state !== 'queued') return 'rotating'
  if (isSilent(device, now, watch, timeouts)) return 'offline'
  return isFull ? 'busy' : 'online'
}
