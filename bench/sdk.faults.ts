/**
 * One of ten exits is dead, hangs, or is banned by the site: what callers notice, how much slower the rest is, how soon it is taken out.
 * Each slice has a pool of its own and begins with warm connections; the exit goes bad in the middle of its load. Healthy slices alternate.
 */
import { type AttemptKind, MobilePool } from '@mobilepool/sdk'
import { startChild } from '../packages/sdk/test/servers/child.ts'
import type { Fault } from '../packages/sdk/test/servers/fault.ts'
import type { FaultyFleetCalls } from './harness/faulty-fleet.ts'
import { report, table } from './harness/report.ts'
import { median } from './harness/statistics.ts'

type State = 'well' | 'dead' | 'banned' | Fault
const FAULTS: readonly (readonly [name: string, state: State])[] = [
  ['dead: connections refused', 'dead'],
  ['hung: accepts, says nothing', { kind: 'hang_accept' }],
  ['hung: CONNECT unanswered', { kind: 'hang_connect' }],
  ['banned: 403 from the site', 'banned'],
]
const ROUNDS = 3
const SLICE_MS = 4_000
const WARM_UP_MS = 500
const CALLERS = 40
const CONNECT_MS = 1_000
/** Attempts that met the fault itself, not the cut of warm connections with which it begins. */
const VICTIMS: ReadonlySet<AttemptKind> = new Set(['device_connect', 'tunnel_timeout', 'response_timeout'])

interface Outcome {
  readonly perSecond: number
  readonly errors: number
  readonly banned: number
  /** From the first time-out or refusal of a connection at the bad exit to its ejection, ms; undefined: not ejected. */
  readonly ejectedAfterMs: number | undefined
  readonly rotations: number
}

const world = await startChild<FaultyFleetCalls>(new URL('./harness/faulty-fleet.ts', import.meta.url))
const urls = await world.ask('urls')

async function slice(state: State): Promise<Outcome> {
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
    timeouts: { connectMs: CONNECT_MS },
    rotate: { onBan: { count: 3 } },
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
  await calls
  const perSecond = (answered * 1_000) / (performance.now() - startedAt)
  await pool.close()
  const ejectedAfterMs = ejectedAt === undefined || firstVictimAt === undefined ? undefined : Math.max(0, ejectedAt - firstVictimAt)
  return { perSecond, errors, banned, ejectedAfterMs, rotations }
}

const rows: (string | number)[][] = []
for (const [name, state] of FAULTS) {
  const [healthy, faulty]: [Outcome[], Outcome[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    healthy.push(await slice('well'))
    faulty.push(await slice(state))
  }
  const rate = (outcomes: readonly Outcome[]): number => median(outcomes.map(({ perSecond }) => perSecond))
  const sum = (what: (outcome: Outcome) => number): number => faulty.reduce((total, outcome) => total + what(outcome), 0)
  const ejections = faulty.flatMap(({ ejectedAfterMs }) => ejectedAfterMs ?? [])
  rows.push([
    name,
    Math.round(rate(healthy)),
    Math.round(rate(faulty)),
    `${((rate(faulty) / rate(healthy)) * 100).toFixed(0)} %`,
    sum(({ errors }) => errors),
    sum(({ banned }) => banned),
    ejections.length === 0 ? '-' : `${Math.max(...ejections).toFixed(1)} (${ejections.length} of ${ROUNDS})`,
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
      'rotations a slice',
    ],
    rows,
  ),
)
