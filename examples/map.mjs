// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/map.mjs https://example.com/1 https://example.com/2
import { MobilePool } from '@mobilepool/sdk'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })
const urls = process.argv.slice(2) // any iterable or async iterable: a generator that reads a file, rows of a database

const pages = await pool.map(
  urls,
  async (url, { fetch }) => {
    const response = await fetch(url)
    if (!response.ok) throw new Error(`${url}: ${response.status}`)
    return response.text()
  },
  { concurrency: 10, stopOnError: false, signal: AbortSignal.timeout(600_000) },
)

for (const [index, page] of pages.entries())
  console.log(urls[index], page.status === 'fulfilled' ? page.value : `failed: ${page.reason.message}`)
await pool.close()
