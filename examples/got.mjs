// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/got.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'
import got from 'got'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })
const client = got.extend({ agent: { http: pool.httpAgent, https: pool.httpsAgent }, throwHttpErrors: false })

for (const url of process.argv.slice(2)) {
  const { statusCode, body } = await client(url) // each request, and each retry of got's, gets a device of its own
  console.log(statusCode, body)
}
await pool.close()
