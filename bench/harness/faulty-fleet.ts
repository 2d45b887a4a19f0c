/** A process with ten devices that do what they are told, and a site behind them. For benchmarks of what a bad device costs. */
import { serveParent } from '../../packages/sdk/test/servers/child.ts'
import type { Fault } from '../../packages/sdk/test/servers/fault.ts'
import { startFaultyProxy } from '../../packages/sdk/test/servers/faulty-proxy.ts'
import { startOrigin } from '../../packages/sdk/test/servers/origin.ts'

const DEVICES = 10

const origin = await startOrigin({ tls: true })
const fleet = await Promise.all(Array.from({ length: DEVICES }, (_, index) => startFaultyProxy({ egress: `127.40.${index}.1` })))
const [bad] = fleet
if (bad === undefined) throw new Error('no device')
let isGone = false

const calls = {
  urls: () => ({ origin: origin.url, devices: fleet.map(({ url }) => url) }),
  /** From now on the first device is like this. Where it hangs, nothing passes the connections that it has, either. */
  async make(state: 'well' | 'dead' | 'banned' | Fault) {
    if (isGone) await bad.accept()
    else if (state === 'well') bad.dropAll()
    isGone = state === 'dead'
    bad.fault = typeof state === 'string' ? null : state
    origin.unban(bad.egress)
    if (state === 'banned') origin.ban(bad.egress)
    if (state === 'dead') await bad.refuse()
    else if (bad.fault !== null) bad.freeze()
    origin.seen.length = 0
    return true
  },
  /** The first device gets another exit IP. */
  rotate() {
    const [, , net = '0', host = '1'] = bad.egress.split('.')
    bad.egress = `127.40.${net}.${(Number(host) % 250) + 1}`
    return bad.egress
  },
}
export type FaultyFleetCalls = typeof calls

serveParent(calls)
