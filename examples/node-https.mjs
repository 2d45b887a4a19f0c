// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/node-https.mjs https://example.com
import { once } from 'node:events'
import { get } from 'node:https'
import { text } from 'node:stream/consumers'
import { MobilePool } from '@mobilepool/sdk'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })

for (const url of process.argv.slice(2)) {
  const [response] = await once(get(url, { agent: pool.httpsAgent }), 'response')
  console.log(response.statusCode, await text(response))
}
await pool.close()
