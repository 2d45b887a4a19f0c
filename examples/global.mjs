// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/global.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })
const installed = pool.installGlobal() // from here on every fetch of the process, also in libraries, goes through the pool

for (const url of process.argv.slice(2)) {
  const response = await fetch(url)
  console.log(response.status, response.headers.get('x-mobilepool-device'), await response.text())
}
installed[Symbol.dispose]() // and from here on no more
await pool.close()
