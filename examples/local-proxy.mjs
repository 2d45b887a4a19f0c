// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/local-proxy.mjs https://example.com
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { MobilePool } from '@mobilepool/sdk'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })
const local = await pool.listen()

// Whatever takes a proxy URL: curl here, a browser or a program in another language as well.
for (const url of process.argv.slice(2)) {
  const { stdout } = await promisify(execFile)('curl', ['--silent', '--show-error', '--proxy', local.url, url])
  console.log(stdout)
}
await pool.close()
