import type { StatusReplyJson } from '@mobilepool/sdk/contract'
import { readFields, readTime } from './fields.ts'
import { readDevice, type Sighting } from './read-device.ts'

/** `GET /status`, read. */
export interface Snapshot {
  readonly sightings: readonly Sighting[]
  /** Where the events continue; '' when the hub did not say. */
  readonly lastEventId: string
  /** The hub's clock when it answered, ms since the epoch. */
  readonly hubTime: number | null
}

/** Reads the answer; null when it holds no list of devices at all. A device that cannot be read is left out, the others are shown. */
export function readSnapshot(json: unknown): Snapshot | null {
  const fields: { readonly [Field in keyof StatusReplyJson]?: unknown } = readFields(json) ?? {}
  if (!Array.isArray(fields.proxies)) return null
  return {
    sightings: fields.proxies.flatMap((line) => readDevice(line) ?? []),
    lastEventId: typeof fields.last_event_id === 'string' ? fields.last_event_id : '',
    hubTime: readTime(fields.timestamp),
  }
}
