// Run in as many processes as you like: MOBILEPOOL_REDIS=redis://127.0.0.1:6379 MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080 node examples/redis.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'

// 60 requests a minute on each device, over all processes together; `account-42` is on one device in all of them.
const pool = new MobilePool({
  devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(','),
  perDevice: { requestsPerMinute: 60, burst: 5 },
  redis: process.env.MOBILEPOOL_REDIS,
})
pool.on('redis', (event) => console.log(event.isUp ? 'limits are shared' : `limits are this process's own: ${event.reason}`))

const session = pool.session('account-42')
for (const url of process.argv.slice(2)) {
  const response = await session.fetch(url)
  console.log(response.status, session.device?.device, await response.text())
}
await pool.close()
