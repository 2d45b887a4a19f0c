// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/interceptors.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'
import { interceptors, request } from 'undici'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })

// undici's interceptors on top of the pool: each hop and each repetition is a request of its own, on a device of its own.
const dispatcher = pool.dispatcher.compose(
  interceptors.redirect({ maxRedirections: 5 }),
  interceptors.retry({ statusCodes: [425], minTimeout: 100, maxRetries: 2 }), // what the pool itself does not repeat
)

for (const url of process.argv.slice(2)) {
  const { statusCode, body } = await request(url, { dispatcher })
  console.log(statusCode, await body.text())
}
await pool.close()
