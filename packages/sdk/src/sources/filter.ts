import type { DeviceRecord } from './device-source.ts'

/** Which devices a pool uses. Every field given must match; an empty filter matches all. */
export interface DeviceFilter {
  readonly operator?: readonly string[] | undefined
  readonly region?: readonly string[] | undefined
  readonly type?: readonly string[] | undefined
  /** All of them must be on the device. */
  readonly tags?: readonly string[] | undefined
}

const same = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase()

const isOneOf = (value: string | null, allowed: readonly string[] | undefined): boolean =>
  allowed === undefined || (value !== null && allowed.some((one) => same(one, value)))

/** Upper and lower case count alike: people write `MTS` and `mts`. */
export function matchesFilter(device: Pick<DeviceRecord, 'operator' | 'region' | 'type' | 'tags'>, filter: DeviceFilter): boolean {
  return (
    isOneOf(device.operator, filter.operator) &&
    isOneOf(device.region, filter.region) &&
    isOneOf(device.type, filter.type) &&
    (filter.tags ?? []).every((tag) => device.tags.some((own) => same(own, tag)))
  )
}
