/**
 * What the choice of a device costs: a request admitted to the pool core and its device released, for every balancer, at 50, 1,000 and
 * 10,000 devices, half as many requests in flight as devices. In the same run the floor: the next device of an array by a counter,
 * with the same requests in flight. Last, a queue: every device full and 10,000 requests waiting, so that each release serves one.
 * A process for each balancer, as in life: what several share in one process would be slower for all.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Applicant } from '../packages/sdk/src/core/admission-queue.ts'
import { createBalancer } from '../packages/sdk/src/core/balancers/create-balancer.ts'
import type { BalancerName } from '../packages/sdk/src/core/balancers/names.ts'
import type { Device } from '../packages/sdk/src/core/device.ts'
import { PoolCore } from '../packages/sdk/src/core/pool-core.ts'
import { PLAIN_VIEW } from '../packages/sdk/src/core/view.ts'
import { type Aim, judge } from './harness/aims.ts'
import { report, table } from './harness/report.ts'
import { median } from './harness/statistics.ts'

const SIZES = [50, 1_000, 10_000]
const BALANCERS: readonly BalancerName[] = ['least-connections', 'round-robin', 'random', 'weighted', 'ip-hash']
/** So short that some of them are not interrupted on a busy machine: the quickest counts. */
const SLICE = 5_000
const SLICES = 300
const WARM_UP = 200_000
const BYTES_PICKS = 50_000
const WAITING = 10_000
const CONCURRENCY = 10
/** No collection between two looks at the heap: the picks between them allocate less than this, in MB. */
const FLAGS = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128', '--disable-warning=ExperimentalWarning']

/** One per pick: nanoseconds of the floor, nanoseconds and bytes of the pool. */
interface Cost {
  readonly floorNs: number
  readonly poolNs: number
  readonly bytes: number
}

interface Costs {
  readonly picks: readonly Cost[]
  readonly queueNs: number
}

function poolOf(size: number, balancer: BalancerName, concurrency: number): { core: PoolCore<Applicant>; devices: Device[] } {
  const core = new PoolCore<Applicant>(
    {
      limits: { concurrency, requestsPerMinute: null, burst: 1, concurrentPerSite: null },
      queue: { timeoutMs: 60_000, max: 2 * WAITING },
      ejection: null,
      quarantine: { quarantineMs: 600_000 },
    },
    createBalancer(balancer, Math.random, (error) => {
      throw error
    }),
  )
  const devices = Array.from({ length: size }, (_, index) => {
    const id = `device-${index}`
    const facts = { id, name: id, weight: 1 + (index % 10), tags: [], operator: null, region: null, type: 'generic' }
    const device = core.addDevice(facts, `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, 0)
    core.setOnline(device, true)
    return device
  })
  return { core, devices }
}

const requests: readonly Applicant[] = Array.from({ length: 4_096 }, (_, index) => ({
  site: `shop-${index % 64}.example`,
  order: index,
  tried: [],
  view: { ...PLAIN_VIEW, hashKey: `account-${index}` },
}))

/** A function that does so many picks, each of which releases the oldest request in flight. */
function picksThroughPool(size: number, balancer: BalancerName): (count: number) => void {
  const { core } = poolOf(size, balancer, CONCURRENCY)
  const admit = (request: Applicant): Device => {
    const decision = core.admit(request, 1)
    if (decision.kind !== 'assigned') throw new Error(`a request got no device: ${decision.kind}`)
    return decision.device
  }
  const underWay = requests.slice(0, size / 2).map(admit)
  while (underWay.length < size / 2) underWay.push(admit(requests[underWay.length % 4_096] as Applicant))
  let next = 0
  return (count) => {
    for (let pick = 0; pick < count; pick++) {
      const place = next++ % underWay.length
      const request = requests[next & 4_095] as Applicant
      core.release(underWay[place] as Device, request.site)
      underWay[place] = admit(request)
    }
  }
}

function picksByCounter(size: number): (count: number) => void {
  const { devices } = poolOf(size, 'round-robin', CONCURRENCY)
  let turn = 0
  const take = (): Device => {
    const device = devices[turn++ % devices.length] as Device
    device.inFlight++
    return device
  }
  const underWay = Array.from({ length: size / 2 }, take)
  let next = 0
  return (count) => {
    for (let pick = 0; pick < count; pick++) {
      const place = next++ % underWay.length
      ;(underWay[place] as Device).inFlight--
      underWay[place] = take()
    }
  }
}

/** Every device is full and `WAITING` requests for 64 sites wait; each release serves the first, and another one joins them. */
function servesFromQueue(size: number, balancer: BalancerName): (count: number) => void {
  const { core, devices } = poolOf(size, balancer, 1)
  let order = 0
  const request = (): Applicant => ({ ...(requests[order & 63] as Applicant), order: ++order })
  for (const _ of devices) core.admit(request(), 1)
  for (let waiting = 0; waiting < WAITING; waiting++) core.admit(request(), 1)
  let next = 0
  return (count) => {
    for (let serve = 0; serve < count; serve++) {
      const device = devices[next++ % size] as Device
      core.release(device, 'shop-0.example')
      if (core.serveWaiting(1).length !== 1) throw new Error('a release served nobody')
      core.admit(request(), 1)
    }
  }
}

/** The quickest slice of each, the runs taking turns. */
function quickest(runs: readonly ((count: number) => void)[], slices = SLICES): number[] {
  const best = runs.map(() => Number.POSITIVE_INFINITY)
  for (const run of runs) run(WARM_UP)
  for (let slice = 0; slice < slices; slice++) {
    for (const [index, run] of runs.entries()) {
      const begun = process.hrtime.bigint()
      run(SLICE)
      best[index] = Math.min(best[index] ?? Number.NaN, Number(process.hrtime.bigint() - begun) / SLICE)
    }
  }
  return best
}

function bytesOf(run: (count: number) => void, gc: () => void): number {
  gc()
  const before = process.memoryUsage().heapUsed
  run(BYTES_PICKS)
  return (process.memoryUsage().heapUsed - before) / BYTES_PICKS
}

function measure(balancer: BalancerName, gc: () => void): Costs {
  const picks = SIZES.map((size): Cost => {
    const [floor, pool] = [picksByCounter(size), picksThroughPool(size, balancer)]
    const [floorNs = Number.NaN, poolNs = Number.NaN] = quickest([floor, pool])
    return { floorNs, poolNs, bytes: median(Array.from({ length: 5 }, () => bytesOf(pool, gc))) }
  })
  const [queueNs = Number.NaN] = quickest([servesFromQueue(10_000, balancer)], 100)
  return { picks, queueNs }
}

if (process.argv[2] === 'measure' && globalThis.gc !== undefined) {
  process.send?.(measure(process.argv[3] as BalancerName, globalThis.gc))
  process.disconnect()
} else {
  const rows: (string | number)[][] = []
  const aims: Aim[] = []
  for (const balancer of BALANCERS) {
    const child = fork(import.meta.filename, ['measure', balancer], { execArgv: FLAGS })
    const [{ picks, queueNs }] = (await once(child, 'message')) as [Costs]
    const [few, , many] = picks
    const [fewNs, manyNs] = [few?.poolNs ?? Number.NaN, many?.poolNs ?? Number.NaN]
    aims.push({ what: `${balancer}, 10,000 devices, ns a pick`, value: manyNs, atMost: 200 })
    aims.push({ what: `${balancer}, 10,000 devices to 50`, value: manyNs / fewNs, atMost: 2 })
    rows.push([
      balancer,
      ...picks.map(({ poolNs, floorNs }) => `${poolNs.toFixed(0)} (${floorNs.toFixed(0)})`),
      (manyNs / fewNs).toFixed(1),
      Math.max(...picks.map(({ bytes }) => bytes)).toFixed(0),
      queueNs.toFixed(0),
    ])
  }
  report(
    'sdk.pick',
    table(
      [
        'ns a pick (floor)',
        ...SIZES.map((size) => `${size.toLocaleString('en')} devices`),
        '10,000 to 50',
        'bytes a pick',
        'ns from the queue',
      ],
      rows,
    ),
  )
  judge(aims)
}
