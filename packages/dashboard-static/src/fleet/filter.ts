import type { Device, Status } from './device.ts'
import { statusOrder } from './summary.ts'

/** Which devices are shown. */
export interface DeviceFilter {
  /** Words; a device is shown when each occurs in something that is written in its row. */
  readonly search: string
  /** Devices of these; of every status when there is none. */
  readonly statuses: readonly Status[]
}

/** Shows everything. */
export const NO_FILTER: DeviceFilter = { search: '', statuses: [] }

/** The longest search text that counts, characters. */
const LONGEST_SEARCH = 200

/** Makes the test that a filter is; `typeWord` is how the page names a type of device, so that one can search for it. */
export function matches({ search, statuses }: DeviceFilter, typeWord: (type: Device['type']) => string): (device: Device) => boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  return (device) => {
    if (statuses.length > 0 && !statuses.includes(device.status)) return false
    const written = [device.name, typeWord(device.type), device.operator, device.region, device.exitIp]
    const text = written.join('\n').toLowerCase()
    return words.every((word) => text.includes(word))
  }
}

/** The filter as parameters of the address: `q` and `status`, neither when it is empty. */
export function filterToParams({ search, statuses }: DeviceFilter): URLSearchParams {
  const params = new URLSearchParams()
  if (statuses.length > 0) params.set('status', statuses.join(','))
  if (search !== '') params.set('q', search)
  return params
}

/** The filter that an address names; what it names and there is not is left out. */
export function filterFromParams(params: URLSearchParams): DeviceFilter {
  const named = (params.get('status') ?? '').split(',')
  return {
    search: (params.get('q') ?? '').slice(0, LONGEST_SEARCH),
    statuses: statusOrder.filter((status) => named.includes(status)),
  }
}
