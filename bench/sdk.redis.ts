/**
 * What sharing limits by Redis costs a request: the same pool without and with the option `redis`, taking turns in one process; devices and
 * Redis are processes of their own. In the same run the floor: as many PINGs at once to the same Redis.
 */
import { MobilePool } from '@mobilepool/sdk'
import { Redis } from 'ioredis'
import { startRedis } from '../packages/sdk/test/redis/redis-server.ts'
import { startChild } from '../packages/sdk/test/servers/child.ts'
import { alternate } from './harness/alternate.ts'
import type { CannedCalls } from './harness/canned-devices.ts'
import { type Dispatching, Load } from './harness/load.ts'
import { report, table } from './harness/report.ts'
import { median, paired } from './harness/statistics.ts'

const DEVICES = 20
const CONCURRENCIES = [1, 50]
const SLICES = { rounds: 40, sliceMs: 100, warmUpMs: 2_000 }
const REQUEST = { origin: 'http://shop.example.test', path: '/catalogue?page=1', method: 'GET', headers: { accept: 'text/html' } }

const redis = await startRedis()
const world = await startChild<CannedCalls>(new URL('./harness/canned-devices.ts', import.meta.url), [String(DEVICES)])
const devices = await world.ask('urls')
const pinging = new Redis(redis.url)
/** A PING where the others have a request. */
const ping: Dispatching = {
  dispatch: (_options, handler) => {
    const { onResponseEnd } = handler as { onResponseEnd: () => void }
    void pinging.ping().then(onResponseEnd)
  },
}
const rows: (string | number)[][] = []
for (const concurrency of CONCURRENCIES) {
  const [alone, shared] = [
    new MobilePool({ devices, perDevice: { concurrency: 100 } }),
    new MobilePool({ devices, perDevice: { concurrency: 100 }, redis: redis.url }),
  ]
  const slices = await alternate(
    [
      { name: 'alone', load: new Load(alone as unknown as Dispatching, REQUEST, concurrency) },
      { name: 'shared', load: new Load(shared as unknown as Dispatching, REQUEST, concurrency) },
      { name: 'ping', load: new Load(ping, REQUEST, concurrency) },
    ],
    SLICES,
  )
  if (shared.stats().isShared !== true) throw new Error('Redis was away: nothing was measured')
  const [ofAlone = [], ofShared = [], ofPing = []] = ['alone', 'shared', 'ping'].map((name) => slices.get(name))
  const rate = (of: typeof ofAlone): number => median(of.map(({ perSecond }) => perSecond))
  const cpu = (of: typeof ofAlone): number[] => of.map(({ cpuUs }) => cpuUs)
  const more = median(paired(cpu(ofShared), cpu(ofAlone), (one, other) => one - other))
  const waitMs = (of: typeof ofAlone): number => (concurrency * 1_000) / rate(of)
  rows.push([
    `${concurrency} in flight`,
    ...[ofAlone, ofShared, ofPing].map((of) => rate(of).toFixed(0)),
    ...[ofAlone, ofShared, ofPing].map((of) => waitMs(of).toFixed(2)),
    more.toFixed(0),
    median(cpu(ofPing)).toFixed(0),
  ])
  await Promise.all([alone.close(), shared.close()])
}
pinging.disconnect()
await world.stop()
await redis.close()
report(
  'sdk.redis',
  table(
    [
      '',
      'without, req/s',
      'with Redis, req/s',
      'PING, /s',
      'without, ms each',
      'with Redis, ms each',
      'PING, ms each',
      'more CPU, us',
      'CPU of a PING, us',
    ],
    rows,
  ),
)
