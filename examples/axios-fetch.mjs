// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/axios-fetch.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'
import axios from 'axios'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })
// By its fetch adapter axios lets the pool see answers: bans are known and requests repeated, which agents cannot do.
const client = axios.create({ adapter: 'fetch', fetchOptions: { dispatcher: pool }, responseType: 'text', validateStatus: () => true })

for (const url of process.argv.slice(2)) {
  const { status, headers, data } = await client.get(url)
  console.log(status, headers['x-mobilepool-device'], data)
}
await pool.close()
