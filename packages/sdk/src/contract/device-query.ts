import { z } from 'zod'
import { device, deviceStatus, deviceType } from './device.ts'
import { deviceRef, label, timestamp } from './names.ts'
import { rotateRequest } from './rotation.ts'

/** Devices of one page, when a page is asked for. */
export const DEVICE_PAGE_MAX = 1_000

/** A filter that may be given several times: any of the values will do. */
const oneOrMore = <One extends z.ZodType>(one: One) => z.union([one, z.array(one).min(1).max(50)])

/** Every filter that is given must hold; texts are compared without regard to case. */
export const deviceFilter = z.object({
  operator: oneOrMore(label).optional(),
  region: oneOrMore(label).optional(),
  type: oneOrMore(deviceType).optional(),
  /** All of them must be on the device. */
  tag: oneOrMore(label).optional(),
  status: oneOrMore(deviceStatus).optional(),
  /** Part of a name, an exit IP, an operator, a region or a tag. */
  search: label.optional(),
})
export type DeviceFilterJson = z.infer<typeof deviceFilter>

const page = {
  /** Devices at most. */
  limit: z.coerce.number().int().min(1).max(DEVICE_PAGE_MAX),
  /** `next` of the page before. */
  after: z.string().min(1).max(400),
}

/** What lists of devices can be sorted by. */
export const deviceSort = z.enum(['name', 'created_at', 'last_heartbeat', 'status', 'operator', 'region', 'total_requests'])
export type DeviceSort = z.infer<typeof deviceSort>

/** Query of `GET /api/v1/admin/devices`. */
export const deviceQuery = deviceFilter.extend({
  /** Field to sort by; `-` before it: downwards. Names decide between equals. */
  sort: z.enum([...deviceSort.options, ...deviceSort.options.map((sort) => `-${sort}` as const)]).default('name'),
  limit: page.limit.default(100),
  after: page.after.optional(),
})

/** What is asked of the clients' lists: a site's name or URL leaves out exits that are quarantined for it. */
const forClients = {
  /** Only devices whose exit IP is not quarantined for this site: a host name or a URL. */
  site: z.string().min(1).max(2_000).optional(),
  format: z.enum(['json', 'txt']).default('json'),
}

/**
 * Query of `GET /api/v1/proxy/list`. Without `limit` the whole list is sent, as a stream. `format=txt` gives one proxy URL a line, of
 * the devices that can be used now unless a `status` is asked for.
 */
export const proxyListQuery = deviceFilter.extend({
  ...forClients,
  /** Only devices that can be used now. */
  available: z.stringbool().optional(),
  limit: page.limit.optional(),
  after: page.after.optional(),
})

/** Query of `GET /status`. Without `limit` every name is sent, as a stream. */
export const statusQuery = z.object({ limit: page.limit.optional(), after: page.after.optional() })

/** Query of `GET /api/v1/proxy/random`. */
export const proxyQuery = deviceFilter.omit({ status: true }).extend(forClients)

/** Query of `GET /api/v1/proxy/by-operator`. */
export const operatorQuery = proxyQuery.extend({
  /** Devices of each operator at most; `GET /api/v1/proxy/list?operator=` has the rest page by page. Without it all are sent, as a stream. */
  limit: page.limit.optional(),
})

/** Reply of `GET /api/v1/proxy/by-operator`: the devices that can be used now; `operator` null are those of which it is not known. */
export const operatorList = z.object({
  operators: z.array(z.object({ operator: label.nullable(), total: z.int(), available: z.int(), devices: z.array(device) })),
  timestamp,
})

/** Reply of `GET /api/v1/proxy/status`. */
export const proxyServiceStatus = z.object({
  /** `ok`: at least one device can be used; `no_device`: none can; `degraded`: some can, and the database is away. */
  status: z.enum(['ok', 'degraded', 'no_device']),
  total: z.int(),
  /** Those that can be used now. */
  available: z.int(),
  /** How many adopted devices have each status. */
  devices: z.object({ online: z.int(), offline: z.int(), busy: z.int(), maintenance: z.int(), rotating: z.int() }),
  operators: z.array(z.object({ operator: label.nullable(), total: z.int(), available: z.int() })),
  /** Pairs of exit IP and site. */
  quarantines: z.int(),
  database: z.enum(['up', 'down']),
  version: z.string(),
  uptime_s: z.int(),
  timestamp,
})

/** Body of `POST /api/v1/proxy/rotate`: one device, or those that match the filters; the whole fleet when all is left out. */
export const fleetRotateRequest = rotateRequest
  .extend({ device: deviceRef.optional(), ...deviceFilter.shape })
  .refine(({ device: one, ...filters }) => one === undefined || !filterFields.some((field) => filters[field] !== undefined), {
    path: ['device'],
    error: 'names one device already: leave out the filters',
  })

const filterFields = Object.keys(deviceFilter.shape) as (keyof DeviceFilterJson)[]
