/**
 * One of ten exits is dead, hangs, or is banned by the site: what callers notice, how much slower the rest is, how soon it is taken out.
 * Each slice has a pool of its own and begins with warm connections; the exit goes bad in the middle of its load. Healthy slices alternate.
 */
import { type AttemptKind, MobilePool } from '@mobilepool/sdk'
import { startChild } from '../packages/sdk/test/servers/child.ts'
import type { Fault } from '../packages/sdk/test/servers/fault.ts'
import { type Aim, judge } from './harness/aims.ts'
import type { FaultyFleetCalls } from './harness/faulty-fleet.ts'
import { report, table } from './harness/report.ts'
import { median } from './harness/statistics.ts'

type State = 'well' | 'dead' | 'banned' | Fault
interface Case {
  readonly name: string
  readonly state: State
  /** Whether slow connections are hedged, as by default. Without, callers wait for the time-out. */
  readonly isHedged: boolean
}
const CASES: readonly Case[] = [
  { name: 'dead: connections refused', state: 'dead', isHedged: true },
  { name: 'hung: accepts, says nothing', state: { kind: 'hang_accept' }, isHedged: true },
  { name: 'the same, `hedge: false`', state: { kind: 'hang_accept' }, isHedged: false },
  { name: 'hung: CONNECT unanswered', state: { kind: 'hang_connect' }, isHedged: true },
  { name: 'the same, `hedge: false`', state: { kind: 'hang_connect' }, isHedged: false },
  { name: 'banned: 403 from the site', state: 'banned', isHedged: true },
]
const ROUNDS = 3
const SLICE_MS = 4_000
const WARM_UP_MS = 500
const CALLERS = 40
const CONNECT_MS = 1_000
/** Attempts that met the fault itself. */
const VICTIMS: ReadonlySet<AttemptKind> = new Set(['device_connect', 'tunnel_timeout', 'response_timeout'])

interface Outcome {
  readonly perSecond: number
  readonly errors: number
  readonly banned: number
  /** From the first refusal or time-out at the bad exit to its ejection, ms; undefined: not both happened. */
  readonly ejectedAfterVictimMs: number | undefined
  /** From the moment it went bad to its ejection, ms; undefined: not ejected. */
  readonly ejectedAfterMs: number | undefined
  readonly rotations: number
}

const world = await startChild<FaultyFleetCalls>(new URL('./harness/faulty-fleet.ts', import.meta.url))
const urls = await world.ask('urls')

async function slice(state: State, isHedged: boolean): Promise<Outcome> {
  await world.ask('make', 'well')
  let rotations = 0
  const pool = new MobilePool({
    devices: urls.devices.map((url, index) => ({
      id: `exit-${index}`,
      url,
      rotate: () => {
        rotations++
        return world.ask('rotate')
      },
    })),
    requestTls: { rejectUnauthorized: false },
    timeouts: { connectMs: CONNECT_MS, firstByteMs: CONNECT_MS },
    rotate: { onBan: { count: 3 } },
    ...(isHedged ? {} : { hedge: false }),
  })
  let [answered, errors, banned] = [0, 0, 0]
  let [firstVictimAt, ejectedAt]: [number | undefined, number | undefined] = [undefined, undefined]
  pool.on('retry', ({ attempt: { device, kind } }) => {
    if (device === 'exit-0' && VICTIMS.has(kind)) firstVictimAt ??= performance.now()
  })
  pool.on('eject', ({ device }) => {
    if (device === 'exit-0') ejectedAt ??= performance.now()
  })
  const call = async (until: number): Promise<void> => {
    while (performance.now() < until) {
      try {
        const { statusCode, body } = await pool.dispatcher.request({ origin: urls.origin, path: '/bytes/2000', method: 'GET' })
        await body.dump()
        if (statusCode === 200) answered++
        else banned++
      } catch {
        errors++
      }
    }
  }
  const callAll = (ms: number): Promise<unknown> => {
    const until = performance.now() + ms
    return Promise.all(Array.from({ length: CALLERS }, () => call(until)))
  }
  await callAll(WARM_UP_MS)
  ;[answered, errors, banned] = [0, 0, 0]
  const startedAt = performance.now()
  const calls = callAll(SLICE_MS)
  await world.ask('make', state)
  const badAt = performance.now()
  await calls
  const perSecond = (answered * 1_000) / (performance.now() - startedAt)
  await pool.close()
  const since = (start: number | undefined): number | undefined =>
    ejectedAt === undefined || start === undefined ? undefined : ejectedAt - start
  return { perSecond, errors, banned, ejectedAfterVictimMs: since(firstVictimAt), ejectedAfterMs: since(badAt), rotations }
}

/** The longest of those that there are, and of how many. */
const longest = (times: readonly (number | undefined)[]): string => {
  const known = times.filter((time) => time !== undefined)
  return known.length === 0 ? '-' : `${Math.max(...known).toFixed(0)} (${known.length} of ${times.length})`
}

const rows: (string | number)[][] = []
const aims: Aim[] = []
for (const { name, state, isHedged } of CASES) {
  const [healthy, faulty]: [Outcome[], Outcome[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    healthy.push(await slice('well', isHedged))
    faulty.push(await slice(state, isHedged))
  }
  const rate = (outcomes: readonly Outcome[]): number => median(outcomes.map(({ perSecond }) => perSecond))
  const sum = (what: (outcome: Outcome) => number): number => faulty.reduce((total, outcome) => total + what(outcome), 0)
  const isBan = state === 'banned'
  aims.push({ what: `${name}: throughput, share of the healthy fleet's`, value: rate(faulty) / rate(healthy), atLeast: 0.8 })
  aims.push({ what: `${name}: errors`, value: sum(({ errors }) => errors), atMost: 0 })
  if (!isBan) {
    const outAfter = Math.max(...faulty.map(({ ejectedAfterVictimMs }) => ejectedAfterVictimMs ?? Number.NaN))
    aims.push({ what: `${name}: ms from the first victim's time-out to the ejection`, value: outAfter, atMost: 1_000 })
  } else {
    aims.push({ what: `${name}: 403s delivered`, value: sum(({ banned }) => banned), atMost: 0 })
    aims.push({ what: `${name}: rotations a slice`, value: sum(({ rotations }) => rotations) / ROUNDS, atMost: 1, atLeast: 1 })
  }
  rows.push([
    name,
    Math.round(rate(healthy)),
    Math.round(rate(faulty)),
    `${((rate(faulty) / rate(healthy)) * 100).toFixed(0)} %`,
    sum(({ errors }) => errors),
    sum(({ banned }) => banned),
    longest(faulty.map(({ ejectedAfterVictimMs }) => ejectedAfterVictimMs)),
    longest(faulty.map(({ ejectedAfterMs }) => ejectedAfterMs)),
    (sum(({ rotations }) => rotations) / ROUNDS).toFixed(1),
  ])
}
await world.stop()
report(
  'sdk.faults',
  table(
    [
      '1 of 10 exits',
      'healthy, req/s',
      'with it, req/s',
      'ratio',
      'errors',
      '403s delivered',
      'out after first victim, ms at most',
      'out after it went bad, ms at most',
      'rotations a slice',
    ],
    rows,
  ),
)
judge(aims)
