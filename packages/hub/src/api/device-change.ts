import type { DeviceUpdateJson } from '@mobilepool/sdk/contract'
import { HubError } from '../errors.ts'
import type { DeviceSettings } from '../store/index.ts'
import { rotationChange } from './rotation-wire.ts'

/**
 * The body of a change, by our names; what is left out is not in it.
 * @throws HubError `bad_request` when it gives only half of the address of a proxy that has none yet
 */
export function changeOf(body: DeviceUpdateJson, before: Pick<DeviceSettings, 'proxyUrl'>): Partial<DeviceSettings> {
  const given = {
    name: body.name,
    deviceType: body.device_type,
    maintenance: body.maintenance,
    proxyUrl: proxyUrlOf(body, before.proxyUrl),
    operator: body.operator,
    region: body.region,
    tags: body.tags,
    weight: body.weight,
    requestsPerMinute: body.requests_per_minute,
    concurrency: body.concurrency,
    dataCapBytes: body.data_cap_bytes,
    dataCapDay: body.data_cap_day,
    rotationMethod: body.rotation_method,
    rotationInterval: body.rotation_interval,
    autoRotation: body.auto_rotation,
    ...rotationChange(body),
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

/** The proxy URL as it is given, or the known one with another host or port. */
function proxyUrlOf({ proxy_url: url, ip_address: host, port }: DeviceUpdateJson, before: string | null): string | null | undefined {
  if (host === undefined && port === undefined) return url
  if (before === null) {
    if (host !== undefined && port !== undefined) return `http://${host}:${port}`
    const [missing, present] = host === undefined ? ['ip_address', 'port'] : ['port', 'ip_address']
    const message = `is missing: it goes with ${present} where the device has no proxy URL yet`
    throw new HubError('bad_request', `${missing} ${message}`, { errors: [{ field: missing, message }] })
  }
  const moved = new URL(before)
  if (host !== undefined) moved.hostname = host
  if (port !== undefined) moved.port = String(port)
  return moved.href
}
