import { send } from '../../packages/hub/test/client.ts'
import { ADMIN_KEY } from './hub-process.ts'

/** Adopts so many devices, `device-0` and on, each with a proxy URL. */
export async function adoptDevices(url: string, count: number): Promise<void> {
  const devices = Array.from({ length: count }, (_, n) => ({
    name: `device-${n}`,
    proxy_url: `http://127.0.0.1:${1 + (n % 60_000)}`,
    operator: ['SKT', 'KT', 'LGU+'][n % 3],
    region: `region-${n % 10}`,
  }))
  const { status, text, json } = await send(`${url}/api/v1/admin/devices/import?format=json`, {
    method: 'POST',
    key: ADMIN_KEY,
    raw: JSON.stringify(devices),
    headers: { 'content-type': 'application/json' },
  })
  if (status !== 200 || json.added.length !== count) throw new Error(`the devices were not taken: ${status} ${text.slice(0, 500)}`)
}
