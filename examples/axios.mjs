// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/axios.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'
import axios from 'axios'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })
const client = axios.create({
  httpAgent: pool.httpAgent,
  httpsAgent: pool.httpsAgent,
  proxy: false, // axios would apply HTTP_PROXY of the environment on top
  responseType: 'text',
  validateStatus: () => true,
})

for (const url of process.argv.slice(2)) {
  const { status, data } = await client.get(url)
  console.log(status, data)
}
await pool.close()
