// Which answers are bans, in your own words: node examples/ban-rules.mjs URL ... with the proxies in MOBILEPOOL_DEVICES=http://...,http://...
import { MobilePool } from '@mobilepool/sdk'

const pool = new MobilePool({
  devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',').filter(Boolean),
  ban: {
    statuses: [403, 429],
    body: [/captcha/i],
    presets: 'all',
    rules: [{ name: 'empty list', status: 200, headers: { 'content-type': 'application/json' }, body: /"items":\s*\[\]/ }],
  },
})
pool.on('ban', ({ device, site, rule, by }) => console.log(`ban: ${device} at ${site} by ${by}: ${rule}`))

for (const url of process.argv.slice(2)) {
  const response = await pool.fetch(url)
  const page = await response.text()
  // What no rule can tell, the parser tells.
  if (!page.includes('price')) pool.report(response, { banned: true, reason: 'a page without prices' })
  console.log(response.status, response.headers.get('x-mobilepool-device'), page.slice(0, 60))
}
await pool.close()
