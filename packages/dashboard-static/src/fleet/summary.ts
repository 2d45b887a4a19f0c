import type { Device, Status } from './device.ts'

/** The fleet in one glance. */
export interface Summary {
  readonly total: number
  readonly byStatus: Readonly<Record<Status, number>>
  /**
   * `silent`: some devices are offline, which somebody has to look at. `waiting`: nothing but names that nobody has adopted.
   * `well`: at least one device, none of them silent.
   */
  readonly health: 'empty' | 'waiting' | 'well' | 'silent'
}

/** Statuses in the order in which the page names them: what needs somebody first. */
export const statusOrder = [
  'offline',
  'online',
  'busy',
  'rotating',
  'maintenance',
  'pending',
  'unknown',
] as const satisfies readonly Status[]

export function summarize(devices: Iterable<Device>): Summary {
  const byStatus: Record<Status, number> = { offline: 0, online: 0, busy: 0, rotating: 0, maintenance: 0, pending: 0, unknown: 0 }
  let total = 0
  for (const { status } of devices) {
    byStatus[status] += 1
    total += 1
  }
  return { total, byStatus, health: healthOf(total, byStatus) }
}

function healthOf(total: number, { offline, pending }: Summary['byStatus']): Summary['health'] {
  if (total === 0) return 'empty'
  if (offline > 0) return 'silent'
  return pending === total ? 'waiting' : 'well'
}
