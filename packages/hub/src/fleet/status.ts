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

/**
 * Whether a device has been silent for too long. A device that was alive when the hub last listened is given its whole time-out
 * from the moment the hub listens again; one that was silent already stays so.
 */
export function isSilent(device: Heard, now: number, watch: Watch, timeouts: Timeouts): boolean {
  const { lastHeartbeat } = device
  if (lastHeartbeat === null) return true
  const timeoutMs = device.kind === 'agent' ? timeouts.agentMs : timeouts.bareMs
  if (now - lastHeartbeat < timeoutMs) return false
  const wasAliveBefore = lastHeartbeat < watch.since && watch.before !== null && watch.before - lastHeartbeat < timeoutMs
  return !(wasAliveBefore && now - watch.since < timeoutMs)
}

/** A device's status: derived, never stored. */
export function statusOf(device: Device, now: number, watch: Watch, timeouts: Timeouts): DeviceStatus {
  if (isPending(device)) return 'pending'
  if (device.maintenance) return 'maintenance'
  if (device.rotation !== null && device.rotation.state !== 'queued') return 'rotating'
  return isSilent(device, now, watch, timeouts) ? 'offline' : 'online'
}
