import type { HubEventName } from '@mobilepool/sdk/contract'
import { readFields, readText, readTime } from './fields.ts'
import { type RotationNews, readAddress, readDevice, readRotation, type Sighting } from './read-device.ts'

/** What an event means to the page. */
export type FleetEvent =
  | { readonly name: 'device'; readonly sighting: Sighting }
  | { readonly name: 'device_removed'; readonly id: string }
  | { readonly name: 'heartbeats'; readonly seen: readonly { readonly id: string; readonly at: number }[] }
  | { readonly name: 'ip_changed'; readonly id: string; readonly isFirst: boolean; readonly ip: string; readonly at: number }
  | { readonly name: 'rotation'; readonly rotation: RotationNews }

/** How each event of the contract is read; `reset` is the follower's own affair, `quarantine` the parsers'; alerts the page does not show yet. */
const readers: Record<Exclude<HubEventName, 'reset' | 'quarantine' | 'alert'>, (json: unknown) => FleetEvent | null> = {
  device: (json) => {
    const sighting = readDevice(json)
    return sighting && { name: 'device', sighting }
  },
  device_removed: (json) => {
    const id = readText(readFields(json)?.id)
    return id === null ? null : { name: 'device_removed', id }
  },
  heartbeats: (json) => {
    const devices = readFields(json)?.devices
    if (!Array.isArray(devices)) return null
    const seen = devices.flatMap((entry) => {
      const id = readText(readFields(entry)?.id)
      const at = readTime(readFields(entry)?.last_seen)
      return id === null || at === null ? [] : { id, at }
    })
    return { name: 'heartbeats', seen }
  },
  ip_changed: (json) => {
    const fields = readFields(json)
    const id = readText(fields?.id)
    const ip = readAddress(fields?.new_ip)
    const at = readTime(fields?.at)
    return id === null || ip === null || at === null ? null : { name: 'ip_changed', id, ip, at, isFirst: fields?.old_ip === null }
  },
  rotation: (json) => {
    const rotation = readRotation(json)
    return rotation && { name: 'rotation', rotation }
  },
}

/** Reads one event of the stream; null for a name of a newer hub and for what cannot be read. */
export function readEvent(name: string | undefined, data: string): FleetEvent | null {
  if (name === undefined || !Object.hasOwn(readers, name)) return null
  try {
    return readers[name as keyof typeof readers](JSON.parse(data))
  } catch {
    return null
  }
}
