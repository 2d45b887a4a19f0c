// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/sessions.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })

for (const account of ['account-1', 'account-2']) {
  const session = pool.session(account, { onIpChange: 'fail' }) // all its requests use one device and one exit IP
  for (const url of process.argv.slice(2)) {
    const response = await session.fetch(url)
    console.log(account, session.device?.device, response.status, await response.text())
  }
  session.end()
}
await pool.close()
