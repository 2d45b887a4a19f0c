import { z } from 'zod'
import { deviceType } from './device.ts'
import { deviceName, label } from './names.ts'
import { proxyUrl } from './proxy-url.ts'
import { rotationMethod } from './rotation.ts'
import { rotationSettings } from './rotation-config.ts'

/** The fields that an admin sets; the rest the hub learns. */
const settings = {
  device_type: deviceType,
  /** Where parsers reach the device; or only `ip_address` and `port` of it. */
  proxy_url: proxyUrl.nullable(),
  /** Host of the device's proxy. Goes with `port` where the device has no proxy URL yet (it is plain HTTP then). */
  ip_address: z
    .string()
    .max(255)
    .refine((text) => URL.canParse(`http://${text}:1`) && new URL(`http://${text}:1`).host === `${text.toLowerCase()}:1`, {
      error: 'must be a host name or an address without a port; IPv6 in brackets: [2001:db8::1]',
    }),
  port: z.int().min(1).max(65_535),
  operator: label.nullable(),
  region: label.nullable(),
  tags: z.array(label).max(50),
  /** Share of the traffic relative to the others. */
  weight: z.number().positive().max(1000),
  /** Requests that one pool may begin through it a minute; null: as the pool is told. */
  requests_per_minute: z.int().min(1).max(1_000_000).nullable(),
  /** Requests of one pool in flight through it; null: as the pool is told. */
  concurrency: z.int().min(1).max(10_000).nullable(),
  /** Bytes that the SIM's plan holds a month; null: no cap. */
  data_cap_bytes: z.int().min(1).nullable(),
  /** Day of the month on which the plan begins anew, UTC; in a shorter month its last day. */
  data_cap_day: z.int().min(1).max(31),
  rotation_method: rotationMethod.nullable(),
  /** Seconds between automatic rotations. */
  rotation_interval: z.int().min(1).max(86_400),
  auto_rotation: z.boolean(),
  ...rotationSettings,
}

const addressesOnce = {
  path: ['proxy_url'],
  error: 'says where the proxy is already: leave out ip_address and port',
}
const saysAddressOnce = (body: { proxy_url?: unknown; ip_address?: unknown; port?: unknown }): boolean =>
  body.proxy_url === undefined || body.proxy_url === null || (body.ip_address === undefined && body.port === undefined)

/** Body of `POST /api/v1/admin/devices`. A `pending` device of that name is adopted and keeps its history. */
export const deviceCreate = z
  .strictObject({
    name: deviceName,
    device_type: settings.device_type.default('generic'),
    proxy_url: settings.proxy_url.default(null),
    ip_address: settings.ip_address.optional(),
    port: settings.port.optional(),
    operator: settings.operator.default(null),
    region: settings.region.default(null),
    tags: settings.tags.default([]),
    weight: settings.weight.default(1),
    /** @default the hub's MAX_REQUESTS_PER_MINUTE */
    requests_per_minute: settings.requests_per_minute.optional(),
    concurrency: settings.concurrency.default(null),
    data_cap_bytes: settings.data_cap_bytes.default(null),
    data_cap_day: settings.data_cap_day.default(1),
    rotation_method: settings.rotation_method.default(null),
    /** @default the hub's DEFAULT_ROTATION_INTERVAL */
    rotation_interval: settings.rotation_interval.optional(),
    auto_rotation: settings.auto_rotation.default(true),
    ...z.object(rotationSettings).partial().shape,
    maintenance: z.boolean().default(false),
  })
  .refine(saysAddressOnce, addressesOnce)
export type DeviceCreateJson = z.infer<typeof deviceCreate>

/** Body of `PUT` and `PATCH /api/v1/admin/devices/{id}`: only what is given changes. */
export const deviceUpdate = z
  .strictObject({ ...settings, name: deviceName, maintenance: z.boolean() })
  .partial()
  .refine((body) => Object.keys(body).length > 0, 'names nothing to change')
  .refine(saysAddressOnce, addressesOnce)
export type DeviceUpdateJson = z.infer<typeof deviceUpdate>
