/** A process with proxy-chain in front of upstream proxies, taking them in turn for each request or tunnel. `startChild(…, urls)`. */
import { Server } from 'proxy-chain'
import { serveParent } from '../../packages/sdk/test/servers/child.ts'

const upstreams = process.argv.slice(2)
let turn = 0
const server = new Server({
  port: 0,
  host: '127.0.0.1',
  prepareRequestFunction: () => ({ requestAuthentication: false, upstreamProxyUrl: upstreams[turn++ % upstreams.length] ?? '' }),
})
await server.listen()

const calls = {
  url: () => `http://127.0.0.1:${server.port}`,
  /** CPU time of the process so far, us. */
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
}
export type ProxyServerCalls = typeof calls

serveParent(calls)
