import { MobilePool } from '@mobilepool/sdk'

const pool = new MobilePool({
  hub: { url: process.env.MOBILEPOOL_HUB_URL ?? 'http://127.0.0.1:3001', token: process.env.MOBILEPOOL_TOKEN },
  retry: { attempts: 3 },
  ban: { statuses: [403, 429] },
  rotate: { onBan: { count: 3 }, everyMs: 600_000 },
})
const urls = process.argv.slice(2)
for (const url of urls) {
  const response = await fetch(url, { dispatcher: pool })
  console.log(response.status, response.headers.get('x-mobilepool-device'), await response.text())
}
await pool.close()
