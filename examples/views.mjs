// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/views.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'

const [first, ...others] = (process.env.MOBILEPOOL_DEVICES ?? '').split(',')
const pool = new MobilePool({
  devices: [{ id: 'login', url: first, tags: ['steady'] }, ...others.map((url, index) => ({ id: `crawl-${index}`, url }))],
})
const steady = pool.with({ filter: { tags: ['steady'] }, priority: 10 }) // a part of the pool, served before those who wait

for (const url of process.argv.slice(2)) {
  const login = await steady.fetch(url)
  console.log('login', login.headers.get('x-mobilepool-device'), await login.text())
  // The same for everything that happens inside, whatever code sends it.
  await pool.run({ exclude: 'login', retry: false }, async () => {
    const page = await fetch(url, { dispatcher: pool })
    console.log('crawl', page.headers.get('x-mobilepool-device'), await page.text())
  })
}
await pool.close()
