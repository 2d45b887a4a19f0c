/** A process with a pool whose `listen()` is a forward proxy over upstream proxies. `startChild(…, urls)`. */
import { MobilePool } from '@mobilepool/sdk'
import { serveParent } from '../../packages/sdk/test/servers/child.ts'

const pool = new MobilePool({ devices: process.argv.slice(2) })
const local = await pool.listen()

const calls = {
  /** With its password. */
  url: () => local.url,
  /** CPU time of the process so far, us. */
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
}
export type ListenServerCalls = typeof calls

serveParent(calls)
