// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/node-fetch.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'
import fetch from 'node-fetch'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })
const agent = ({ protocol }) => (protocol === 'https:' ? pool.httpsAgent : pool.httpAgent) // a function: a redirect may change the protocol

for (const url of process.argv.slice(2)) {
  const response = await fetch(url, { agent })
  console.log(response.status, await response.text())
}
await pool.close()
