import type { RuleSettings } from '../rule-settings.ts'
import type { DeviceMap, WatchedDevice } from './subjects.ts'

/** Less of a group than this is not the group's trouble (reference/hub.md 1.5). */
const LEAST_SHARE = 0.3

/** Devices of one operator, one region or the whole fleet that fell silent together. */
export interface Crowd {
  id: string
  kind: 'group' | 'fleet'
  /** For people: `operator MTS`. */
  label: string
  members: WatchedDevice[]
  /** Watched devices of the group. */
  total: number
}

interface Group extends Omit<Crowd, 'members' | 'total'> {
  devices: WatchedDevice[]
}

/**
 * The crowds that explain the devices just found silent, the most telling first: at least `minimum` devices and 30 % of a group whose
 * last signs of life lie within `window`. No device is in two of them. Those whose own silence is a little shorter than the threshold
 * count as well: they will pass it within the window.
 */
export function crowdsOf(devices: DeviceMap, news: readonly WatchedDevice[], settings: RuleSettings, now: number): Crowd[] {
  const { threshold, minimum, window } = settings
  if (news.length === 0 || minimum === null || window === null) return []
  const watched = [...devices.values()].filter(({ isExempt, silentFrom }) => !isExempt && silentFrom !== null)
  const silentMs = Math.max(0, threshold - window) * 1_000
  const groups = groupsOf(watched)
  const left = new Set(news)
  const taken = new Set<WatchedDevice>()
  const crowds: Crowd[] = []
  for (;;) {
    let best: Crowd | null = null
    for (const group of groups) {
      const silent = group.devices.filter(
        (device) => device.isSilent && !device.isRotating && !taken.has(device) && now - (device.silentFrom ?? now) >= silentMs,
      )
      const members = densest(silent, window * 1_000, left)
      if (members.length < minimum || members.length < group.devices.length * LEAST_SHARE) continue
      const crowd = { id: group.id, kind: group.kind, label: group.label, members, total: group.devices.length }
      if (best === null || weight(crowd) > weight(best)) best = crowd
    }
    if (best === null) return crowds
    crowds.push(best)
    for (const device of best.members) {
      taken.add(device)
      left.delete(device)
    }
  }
}

/** Many devices and much of the group: an operator that is gone altogether says more than two fifths of the fleet. */
const weight = ({ members, total }: Crowd): number => members.length * (members.length / total)

function groupsOf(devices: readonly WatchedDevice[]): Group[] {
  const groups = new Map<string, Group>()
  const put = (id: string, kind: Group['kind'], label: string, device: WatchedDevice): void => {
    const group = groups.get(id) ?? { id, kind, label, devices: [] }
    group.devices.push(device)
    groups.set(id, group)
  }
  for (const device of devices) {
    // Before the whole fleet, so that of two that are the same devices the one with a name is told.
    if (device.operator !== null) put(`operator:${device.operator}`, 'group', `operator ${device.operator}`, device)
    if (device.region !== null) put(`region:${device.region}`, 'group', `region ${device.region}`, device)
    put('fleet', 'fleet', 'the whole fleet', device)
  }
  return [...groups.values()]
}

/** The most devices that fell silent within one window, with one of those in it that are news. */
function densest(silent: readonly WatchedDevice[], windowMs: number, news: ReadonlySet<WatchedDevice>): WatchedDevice[] {
  const sorted = silent.toSorted((a, b) => (a.silentFrom ?? 0) - (b.silentFrom ?? 0))
  let best: WatchedDevice[] = []
  let from = 0
  for (let to = 0; to < sorted.length; to++) {
    while ((sorted[to]?.silentFrom ?? 0) - (sorted[from]?.silentFrom ?? 0) > windowMs) from++
    if (to - from + 1 <= best.length) continue
    const members = sorted.slice(from, to + 1)
    if (members.some((device) => news.has(device))) best = members
  }
  return best
}
