import { Readable } from 'node:stream'
import type { DeviceFilterJson } from '@mobilepool/sdk/contract'
import type { FastifyReply } from 'fastify'
import { HubError } from '../errors.ts'
import type { Device } from '../fleet/device.ts'
import { type Place, placeOf, type Selection } from '../fleet/selection.ts'
import type { ApiContext } from './context.ts'
import { deviceJson } from './device-wire.ts'
import { stamp } from './stamp.ts'

/** Devices turned into text in one go: some two milliseconds, between which the hub does other things. */
const CHUNK = 200

/** A filter of a query as the rules take it. */
export function selectionOf({ operator, region, type, tag, status, search }: DeviceFilterJson): Selection {
  const all = <T>(given: T | T[] | undefined): T[] | undefined => (given === undefined ? undefined : ([given].flat() as T[]))
  return { operator: all(operator), region: all(region), type: all(type), tag: all(tag), status: all(status), search }
}

/** Where a page begins. @throws HubError `bad_request` */
export function beginningOf(after: string | undefined): Place | null {
  if (after === undefined) return null
  const place = placeOf(after)
  if (place) return place
  const message = 'must be "next" of the page before'
  throw new HubError('bad_request', `after ${message}`, { errors: [{ field: 'after', message }] })
}

/** For routes whose schema describes the reply, but is not run over 10,000 devices of ours each time. */
export const plainJson = () => JSON.stringify

/** Sends a list of devices as it is written: whole fleets are several megabytes. */
export function sendDevices(
  { fleet, feed, now }: ApiContext,
  reply: FastifyReply,
  { total, devices, next }: { total: number; devices: readonly Device[]; next: string | null },
): void {
  const end = { next, last_event_id: feed.lastEventId, timestamp: stamp(now()) }
  function* text(): Generator<string> {
    yield `{"total":${total},"devices":`
    yield* listText(devices, (device) => deviceJson(device, fleet))
    yield `,${JSON.stringify(end).slice(1)}`
  }
  sendJson(reply, text(), devices.length)
}

/** A JSON array of devices, some at a time. */
export function* listText(devices: readonly Device[], json: (device: Device) => unknown): Generator<string> {
  yield '['
  for (let begin = 0; begin < devices.length; begin += CHUNK) {
    const chunk = devices.slice(begin, begin + CHUNK).map((device) => JSON.stringify(json(device)))
    yield `${begin === 0 ? '' : ','}${chunk.join(',')}`
  }
  yield ']'
}

/** Sends JSON with so many devices in it as it is written. */
export function sendJson(reply: FastifyReply, text: Iterable<string>, devices: number): void {
  reply.type('application/json; charset=utf-8')
  // A page is sent in one piece, which costs a tenth of a stream.
  if (devices <= CHUNK) reply.serializer((body: string) => body).send([...text].join(''))
  else sendText(reply, text)
}

/** Sends a long text as it is made. */
export const sendText = (reply: FastifyReply, text: Iterable<string>): void => void reply.send(Readable.from(text))
