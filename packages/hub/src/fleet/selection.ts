import type { DeviceSort, DeviceStatus, DeviceType } from '@mobilepool/sdk/contract'
import { type Device, exitOf } from './device.ts'
import type { Fleet } from './fleet.ts'

/** Which devices are meant; what is left out leaves nobody out. Texts are compared without regard to case. */
export interface Selection {
  operator?: readonly string[] | undefined
  region?: readonly string[] | undefined
  type?: readonly DeviceType[] | undefined
  /** All of them must be on the device. */
  tag?: readonly string[] | undefined
  status?: readonly DeviceStatus[] | undefined
  /** Part of a name, an exit IP, an operator, a region or a tag. */
  search?: string | undefined
}

/** One page of a sorted list. */
export interface DevicePage {
  /** How many match, on all pages. */
  total: number
  devices: Device[]
  /** Where the next page begins; null: this was the last. */
  next: string | null
}

const fold = (text: string): string => text.normalize('NFC').toLowerCase()
const folded = (texts: readonly string[] | undefined): Set<string> | null => (texts === undefined ? null : new Set(texts.map(fold)))

/** A test for the devices that are meant. */
export function matcher(wanted: Selection, fleet: Pick<Fleet, 'status'>): (device: Device) => boolean {
  const [operators, regions, tags] = [folded(wanted.operator), folded(wanted.region), folded(wanted.tag)]
  const types = wanted.type === undefined ? null : new Set(wanted.type)
  const statuses = wanted.status === undefined ? null : new Set(wanted.status)
  const search = wanted.search === undefined ? null : fold(wanted.search)
  // Most questions ask for nothing or for one thing: with 10,000 devices the tests that nobody asked for are most of the time.
  const asked: ((device: Device) => boolean)[] = []
  if (types !== null) asked.push((device) => types.has(device.deviceType))
  if (operators !== null) asked.push((device) => isIn(operators, device.operator))
  if (regions !== null) asked.push((device) => isIn(regions, device.region))
  if (tags !== null) asked.push((device) => hasTags(device, tags))
  if (statuses !== null) asked.push((device) => statuses.has(fleet.status(device)))
  if (search !== null) asked.push((device) => isFound(device, search))
  const [first, ...others] = asked
  if (first === undefined) return () => true
  return others.length === 0 ? first : (device) => asked.every((test) => test(device))
}

const isIn = (set: ReadonlySet<string>, value: string | null): boolean => value !== null && set.has(fold(value))

function hasTags(device: Device, tags: ReadonlySet<string>): boolean {
  const own = new Set(device.tags.map(fold))
  return [...tags].every((tag) => own.has(tag))
}

const isFound = (device: Device, search: string): boolean =>
  [device.name, device.operator, device.region, exitOf(device)?.current ?? null, ...device.tags].some(
    (text) => text !== null && fold(text).includes(search),
  )

type Key = string | number

const keys: Record<DeviceSort, (device: Device, fleet: Pick<Fleet, 'status'>) => Key> = {
  name: ({ name }) => name,
  created_at: ({ createdAt }) => createdAt,
  last_heartbeat: ({ lastHeartbeat }) => lastHeartbeat ?? 0,
  status: (device, fleet) => fleet.status(device),
  operator: ({ operator }) => fold(operator ?? ''),
  region: ({ region }) => fold(region ?? ''),
  total_requests: ({ totals }) => totals.requests,
}

const compare = (a: Key, b: Key): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * A page of the devices that `isMeant`. `byName` is in the order of names, which decides between equals. A page begins behind the place
 * where the former one ended, so that devices that come and go meanwhile neither hide others nor show them twice.
 */
export function pageOf(
  byName: readonly Device[],
  fleet: Pick<Fleet, 'status'>,
  isMeant: ((device: Device) => boolean) | null,
  { sort, isDown, limit, after }: { sort: DeviceSort; isDown: boolean; limit: number; after: Place | null },
): DevicePage {
  const found = isMeant === null ? byName : byName.filter(isMeant)
  const placeOfDevice = (device: Device): Place => ({ key: keys[sort](device, fleet), name: device.name })
  const sign = isDown ? -1 : 1
  const order = (a: Place, b: Place): number => sign * (compare(a.key, b.key) || compare(a.name, b.name))
  const sorted = sort === 'name' ? (isDown ? found.toReversed() : found) : sortedBy(found, placeOfDevice, order)
  const begin = after === null ? 0 : firstBehind(sorted, (device) => order(placeOfDevice(device), after) > 0)
  const page = sorted.slice(begin, begin + limit)
  const last = page.at(-1)
  const next = last === undefined || begin + limit >= sorted.length ? null : cursorOf(placeOfDevice(last))
  return { total: sorted.length, devices: page, next }
}

/** Where a page ended. */
export interface Place {
  key: Key
  name: string
}

function sortedBy(devices: readonly Device[], placeOfDevice: (device: Device) => Place, order: (a: Place, b: Place) => number): Device[] {
  const places = devices.map((device) => ({ device, ...placeOfDevice(device) }))
  return places.toSorted(order).map(({ device }) => device)
}

const cursorOf = ({ key, name }: Place): string => Buffer.from(JSON.stringify([key, name])).toString('base64url')

/** The place that `next` of a page stands for; null when it is none. */
export function placeOf(cursor: string): Place | null {
  try {
    const [key, name, ...rest] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
    const isKey = typeof key === 'string' || (typeof key === 'number' && Number.isFinite(key))
    return isKey && typeof name === 'string' && rest.length === 0 ? { key, name } : null
  } catch {
    return null
  }
}

/** The first index for which `isBehind` holds; it holds for all after it. */
function firstBehind<T>(sorted: readonly T[], isBehind: (item: T) => boolean): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBehind(sorted[middle] as T)) high = middle
    else low = middle + 1
  }
  return low
}
