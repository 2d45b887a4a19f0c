// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/lease.mjs https://example.com/login https://example.com/account
import { MobilePool } from '@mobilepool/sdk'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })

// One device and one exit IP for the whole job; over as soon as the IP changes, or the site bans it.
const lease = await pool.lease({ site: process.argv[2], onBan: 'fail' })
lease.signal.addEventListener('abort', () => console.log('over:', lease.signal.reason.code))

for (const url of process.argv.slice(2)) {
  const response = await lease.fetch(url)
  console.log(lease.device, response.status, await response.text())
}
await lease.release() // Node 24 and TypeScript: `await using lease = ...` does it by itself
await pool.close()
