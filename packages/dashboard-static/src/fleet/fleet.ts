import { type ShallowRef, shallowRef } from 'vue'
import type { Device, LastRotation, RunningRotation } from './device.ts'
import type { Sighting } from './read-device.ts'
import type { FleetEvent } from './read-event.ts'

/**
 * One device's place in the store. What changes together is one ref: a heartbeat touches only `lastSeen`, so only the cell that shows it
 * is drawn again; a step of a rotation touches only `rotation`.
 */
export interface FleetEntry {
  readonly id: string
  readonly device: ShallowRef<Device>
  /** Last sign of life, ms since the epoch by the hub's clock. */
  readonly lastSeen: ShallowRef<number | null>
  readonly rotation: ShallowRef<RunningRotation | null>
}

/** The fleet as the page knows it. */
export interface Fleet {
  /** Every device, by name; null until the first snapshot. Replaced when a device comes, goes or is renamed. */
  readonly entries: Readonly<ShallowRef<readonly FleetEntry[] | null>>
  /** Puts a snapshot in the place of everything; entries of devices that stay are kept, so that their rows are. */
  replace: (sightings: readonly Sighting[]) => void
  apply: (event: FleetEvent) => void
  /** Forgets everything, as before the first snapshot. */
  clear: () => void
}

const byName = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })
const inOrder = (entries: Iterable<FleetEntry>): FleetEntry[] =>
  [...entries].sort((a, b) => byName.compare(a.device.value.name, b.device.value.name) || (a.id < b.id ? -1 : 1))

export function createFleet(): Fleet {
  const byId = new Map<string, FleetEntry>()
  const entries = shallowRef<readonly FleetEntry[] | null>(null)

  /** True when the order of names may have changed. */
  function put({ device, lastSeen }: Sighting): boolean {
    const entry = byId.get(device.id)
    if (!entry) {
      byId.set(device.id, { id: device.id, device: shallowRef(device), lastSeen: shallowRef(lastSeen), rotation: shallowRef(null) })
      return true
    }
    const before = entry.device.value
    entry.device.value = keepKnownAge(before, device)
    seen(entry, lastSeen)
    if (hasEnded(entry.rotation.value, device)) entry.rotation.value = null
    return before.name !== device.name
  }

  return {
    entries,
    replace(sightings) {
      const stay = new Set(sightings.map(({ device }) => device.id))
      for (const id of byId.keys()) if (!stay.has(id)) byId.delete(id)
      for (const sighting of sightings) {
        put(sighting)
        // A snapshot tells no steps: only a device that still rotates may go on showing the one last heard of.
        const entry = byId.get(sighting.device.id)
        if (entry && sighting.device.status !== 'rotating') entry.rotation.value = null
      }
      entries.value = inOrder(byId.values())
    },
    apply(event) {
      switch (event.name) {
        case 'device':
          if (put(event.sighting)) entries.value = inOrder(byId.values())
          return
        case 'device_removed':
          if (byId.delete(event.id)) entries.value = inOrder(byId.values())
          return
        case 'heartbeats':
          for (const { id, at } of event.seen) seen(byId.get(id), at)
          return
        case 'ip_changed':
          changeIp(byId.get(event.id), event)
          return
        case 'rotation':
          rotate(byId.get(event.rotation.deviceId), event.rotation)
      }
    },
    clear() {
      byId.clear()
      entries.value = null
    },
  }
}

function seen(entry: FleetEntry | undefined, at: number | null): void {
  if (entry && at !== null && at > (entry.lastSeen.value ?? 0)) entry.lastSeen.value = at
}

/** A view that does not tell since when the exit IP is in use does not unsay what an event told. */
function keepKnownAge(before: Device, now: Device): Device {
  return now.exitIpSince === null && now.exitIp === before.exitIp ? { ...now, exitIpSince: before.exitIpSince } : now
}

/**
 * The hub may send the device before or after the `ip_changed` of the same change: the one that comes first counts,
 * the other finds the address already there.
 */
function changeIp(entry: FleetEntry | undefined, { ip, at, isFirst }: Extract<FleetEvent, { name: 'ip_changed' }>): void {
  if (!entry) return
  const device = entry.device.value
  if (device.exitIp !== ip) {
    entry.device.value = { ...device, exitIp: ip, exitIpSince: at, ipChanges: device.ipChanges + (isFirst ? 0 : 1) }
  } else if (device.exitIpSince === null) {
    entry.device.value = { ...device, exitIpSince: at }
  }
}

/** As with `changeIp`: the device's own counts stand, an end that they do not yet hold is added. */
function rotate(entry: FleetEntry | undefined, rotation: Extract<FleetEvent, { name: 'rotation' }>['rotation']): void {
  if (!entry) return
  if (!rotation.ended) {
    entry.rotation.value = { id: rotation.id, state: rotation.state, startedAt: rotation.startedAt }
    return
  }
  if (entry.rotation.value?.id === rotation.id) entry.rotation.value = null
  const device = entry.device.value
  if (isCounted(device.lastRotation, rotation.result)) return
  const { outcome } = rotation.result
  entry.device.value = {
    ...device,
    lastRotation: rotation.result,
    rotations: { ...device.rotations, [outcome]: device.rotations[outcome] + 1 },
  }
}

const isCounted = (last: LastRotation | null, result: LastRotation): boolean => last !== null && last.endedAt >= result.endedAt

/** Has the rotation that is shown as running ended, going by the device itself? */
const hasEnded = (running: RunningRotation | null, device: Device): boolean =>
  running !== null && device.lastRotation !== null && device.lastRotation.endedAt >= running.startedAt
