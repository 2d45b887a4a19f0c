// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/cache.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'

// What sites allow to be cached is asked for once, and costs no data volume the second time.
const pool = new MobilePool({
  devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(','),
  cache: { maxBytes: 100_000_000 },
})

for (const url of process.argv.slice(2)) {
  for (let time = 0; time < 2; time++) {
    const response = await fetch(url, { dispatcher: pool })
    const isCached = response.headers.get('x-mobilepool-attempts') === '0'
    console.log(response.status, isCached ? `from the cache, ${response.headers.get('age')} s old` : 'through a device')
    await response.text()
  }
}
console.log(pool.stats().cache)
await pool.close()
