// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/ky.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'
import ky from 'ky'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })
const client = ky.create({ fetch: pool.fetch, retry: 0, throwHttpErrors: false }) // the pool repeats on another device; ky need not

for (const url of process.argv.slice(2)) {
  const response = await client(url)
  console.log(response.status, await response.text())
}
await pool.close()
