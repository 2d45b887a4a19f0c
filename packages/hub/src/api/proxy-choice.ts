import type { proxyQuery } from '@mobilepool/sdk/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { HubError } from '../errors.ts'
import { type Device, exitOf, isPending } from '../fleet/device.ts'
import type { Fleet } from '../fleet/fleet.ts'
import { matcher } from '../fleet/selection.ts'
import { siteOf } from '../fleet/site.ts'
import { isUp } from '../fleet/status.ts'
import { certainCaller, secretOf } from './access.ts'
import type { ApiContext } from './context.ts'
import { selectionOf } from './device-list.ts'
import { gatewayUrlOf } from './device-wire.ts'

/** Rotations end within a minute, most of them much sooner. */
const RETRY_AFTER_S = 10

/** Whether a client can send requests through the device now. */
export const isAvailable = ({ fleet }: Pick<ApiContext, 'fleet'>, device: Device): boolean =>
  (device.proxyUrl !== null || gatewayUrlOf(device, fleet) !== null) && isUp(fleet.status(device))

/**
 * The proxy URL by which whoever asks reaches a device: its own, or the gateway's with the asker's key as the password. Null: there is none,
 * or he has come without a key (logged in).
 */
export function proxyUrlFor(request: FastifyRequest, device: Device, fleet: Pick<Fleet, 'gatewayUrl'>): string | null {
  if (device.proxyUrl !== null) return device.proxyUrl
  const url = gatewayUrlOf(device, fleet)
  const secret = secretOf(request)
  if (url === null || secret === null || certainCaller(request).keyId === null) return null
  return url.replace('@', `:${encodeURIComponent(secret)}@`)
}

/** The adopted devices that a client's query means, by name; quarantined exits are left out when it names a site. */
export function meant(context: ApiContext, query: Omit<z.output<typeof proxyQuery>, 'format'>): (device: Device) => boolean {
  const isSelected = matcher(selectionOf(query), context.fleet)
  const isFree = freeFor(context, query.site)
  return (device) => !isPending(device) && isSelected(device) && isFree(device)
}

/** @throws HubError `bad_request` when the site is none */
function freeFor({ quarantines }: ApiContext, text: string | undefined): (device: Device) => boolean {
  if (text === undefined) return () => true
  const site = siteOf(text)
  if (site === null) {
    const message = 'must be a host name or a URL, e.g. example.com'
    throw new HubError('bad_request', `site ${message}`, { errors: [{ field: 'site', message }] })
  }
  return (device) => {
    const exit = exitOf(device)
    return exit === null || !quarantines.has(exit.current, site)
  }
}

/** Why none can be had. */
export function noDevice({ fleet }: ApiContext, matching: readonly Device[]): HubError {
  if (matching.length === 0) return new HubError('no_device', 'No adopted device matches.', { retryAfter: RETRY_AFTER_S })
  const counts = new Map<string, number>()
  for (const device of matching) {
    const why = isUp(fleet.status(device)) ? 'without a proxy URL or a tunnel' : fleet.status(device)
    counts.set(why, (counts.get(why) ?? 0) + 1)
  }
  const why = [...counts].map(([status, count]) => `${count} ${status}`).join(', ')
  return new HubError('no_device', `Of the devices that match none can be used now: ${why}.`, { retryAfter: RETRY_AFTER_S })
}

/** The devices of one operator. */
interface OperatorGroup {
  operator: string | null
  total: number
  /** Those that can be used now. */
  usable: Device[]
}

/** Devices by their operators, the largest group first; spellings that differ in case only are one. */
export function byOperator(context: Pick<ApiContext, 'fleet'>, devices: readonly Device[]): OperatorGroup[] {
  const groups = new Map<string, OperatorGroup>()
  for (const device of devices) {
    const key = device.operator === null ? '' : device.operator.toLowerCase()
    const group = groups.get(key) ?? { operator: device.operator, total: 0, usable: [] }
    group.total += 1
    if (isAvailable(context, device)) group.usable.push(device)
    groups.set(key, group)
  }
  return [...groups.values()].toSorted((a, b) => b.total - a.total || (a.operator ?? '').localeCompare(b.operator ?? ''))
}

/** Sends one proxy URL a line, as tools take lists; those that are null are left out. */
export function sendLines(reply: FastifyReply, urls: readonly (string | null)[]): void {
  reply
    .type('text/plain; charset=utf-8')
    .header('cache-control', 'no-store')
    .serializer((text: string) => text)
    .send(urls.map((url) => (url === null ? '' : `${url}\n`)).join(''))
}
