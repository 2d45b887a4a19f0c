import type { DeviceStatsSort } from '@mobilepool/sdk/contract'
import type { UsageCounts } from '../store/index.ts'

/** Something that has sums: a device, or a group of devices. */
export interface Ranked {
  name: string
  counts: UsageCounts
}

/** Where a page ended. */
export interface RankedPlace {
  key: number | null
  name: string
}

const keys: Record<DeviceStatsSort, (counts: UsageCounts) => number | null> = {
  name: () => 0,
  requests: ({ requests }) => requests,
  success_rate: ({ requests, successful }) => (requests === 0 ? null : successful / requests),
  bytes: ({ bytesIn, bytesOut }) => bytesIn + bytesOut,
  banned: ({ banned }) => banned,
  failed: ({ failed }) => failed,
}

/**
 * A page of what is ranked, from behind `after` on. What has no key comes last both upwards and downwards, names decide between equals.
 */
export function rank<T extends Ranked>(
  all: readonly T[],
  { sort, isDown, limit, after }: { sort: DeviceStatsSort; isDown: boolean; limit: number; after: RankedPlace | null },
): { page: T[]; next: RankedPlace | null } {
  const place = ({ counts, name }: T): RankedPlace => ({ key: keys[sort](counts), name })
  const sign = isDown ? -1 : 1
  const compare = (a: RankedPlace, b: RankedPlace): number => {
    if (a.key !== b.key && (a.key === null || b.key === null)) return a.key === null ? 1 : -1
    const byKey = sign * ((a.key ?? 0) - (b.key ?? 0))
    if (byKey !== 0) return byKey
    const byName = a.name < b.name ? -1 : a.name > b.name ? 1 : 0
    return sort === 'name' ? sign * byName : byName
  }
  const sorted = all
    .map((one) => ({ one, place: place(one) }))
    .filter((item) => after === null || compare(item.place, after) > 0)
    .toSorted((a, b) => compare(a.place, b.place))
  const last = sorted[limit - 1]
  return { page: sorted.slice(0, limit).map(({ one }) => one), next: last && sorted.length > limit ? last.place : null }
}
