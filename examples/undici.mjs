// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/undici.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'
import { request } from 'undici'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })

for (const url of process.argv.slice(2)) {
  const { statusCode, headers, body } = await request(url, { dispatcher: pool.dispatcher })
  console.log(statusCode, headers['x-mobilepool-device'], await body.text())
}
await pool.close()
