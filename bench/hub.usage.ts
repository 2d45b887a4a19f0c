/**
 * What usage costs: records a second that are durable (log, sums by device, site and reporter, once for each batch) against a plain
 * multi-row INSERT of the same lines into one table with one index, with and without the lock by which writers take turns; and how
 * long statistics take with a month of 10,000 devices and a million lines. Postgres, all on the same cores.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CompiledQuery, Kysely, PostgresDialect } from 'kysely'
import { openStore, type Store, type UsageEntry } from '../packages/hub/src/store/index.ts'
import { readLog } from '../packages/hub/src/store/log-reader.ts'
import { postgresPool } from '../packages/hub/src/store/postgres.ts'
import type { Tables } from '../packages/hub/src/store/tables.ts'
import { freshPostgres } from './harness/hub-database.ts'
import { adoptDevices } from './harness/hub-devices.ts'
import { ADMIN_KEY, startHubProcess } from './harness/hub-process.ts'
import { report, table } from './harness/report.ts'
import { median } from './harness/statistics.ts'
import { DAYS, fillMonth } from './harness/statistics-of-a-month.ts'

const BATCH = 500
const WRITING_DEVICES = 50
const SITES = 200
const WRITERS = [1, 4]
const ROUNDS = 3
const SLICE_MS = Number(process.env.SLICE_MS ?? 3_000)
const FLEET = Number(process.env.FLEET ?? 10_000)
const LINES = Number(process.env.LINES ?? 1_000_000)
const ASKED = 30

const quantileOf = (times: readonly number[], share: number): number =>
  times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN

interface Slice {
  readonly perSecond: number
  readonly times: number[]
}

/** So many writers, each with one batch after the other. */
async function slice(writers: number, write: () => Promise<unknown>): Promise<Slice> {
  const times: number[] = []
  const begun = performance.now()
  await Promise.all(
    Array.from({ length: writers }, async () => {
      while (performance.now() - begun < SLICE_MS) {
        const at = performance.now()
        await write()
        times.push(performance.now() - at)
      }
    }),
  )
  return { perSecond: (times.length * BATCH * 1_000) / (performance.now() - begun), times }
}

const database = await freshPostgres()
const hub = await startHubProcess({ ...database.env, DATABASE_POOL_SIZE: '4' })
await adoptDevices(hub.url, FLEET)
const { DATABASE_URL: url = '' } = database.env
const folder = await mkdtemp(join(tmpdir(), 'mobilepool-usage-'))
const open = (databaseUrl: string): Promise<Store> =>
  openStore({ dataDir: folder, databaseUrl, databasePoolSize: 4, secretKey: 'a secret key of the benchmarks' })

const pool = postgresPool(url, 4)
const ids = (await pool.query<{ id: string }>('select id from proxy_devices order by name limit $1', [WRITING_DEVICES])).rows.map(
  ({ id }) => id,
)
let count = 0
const entries = (): UsageEntry[] =>
  Array.from({ length: BATCH }, () => ({
    deviceId: ids[count++ % ids.length] ?? '',
    exitIp: '112.161.54.7',
    target: `shop-${count % SITES}.example/catalogue/${count}`,
    site: `shop-${count % SITES}.example`,
    method: 'GET',
    status: 200,
    outcome: count % 50 === 0 ? 'banned' : 'answered',
    error: null,
    userAgent: null,
    attempt: 1,
    session: null,
    bytesOut: 0,
    bytesIn: 20_000,
    durationMs: 50 + (count % 900),
    at: Date.now(),
  }))

await pool.query(`create table plain_log (id uuid primary key default gen_random_uuid(), device_id uuid not null, target varchar(1000),
  site varchar(255), method varchar(20), status integer, outcome varchar(40), bytes bigint, duration_ms integer, created_at timestamptz)`)
/** The floor: every line, nothing added up, nothing told twice from once. */
async function insertPlain(): Promise<void> {
  const batch = entries()
  const column = (field: keyof UsageEntry): unknown[] => batch.map((entry) => entry[field])
  await pool.query({
    name: 'plain',
    text: `insert into plain_log (device_id, target, site, method, status, outcome, bytes, duration_ms, created_at)
      select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::bigint[], $8::int[], $9::timestamptz[])`,
    values: [
      ...(['deviceId', 'target', 'site', 'method', 'status', 'outcome', 'bytesIn', 'durationMs'] as const).map(column),
      batch.map(({ at }) => new Date(at).toISOString()),
    ],
  })
}
const writerOf = (store: Store) => (): Promise<unknown> =>
  store.usage.write({ id: randomUUID(), clientIp: '127.0.0.1', reporter: ids[0] ?? '', receivedAt: Date.now(), entries: entries() })
async function post(): Promise<void> {
  const records = entries().map((entry) => ({
    device_id: entry.deviceId,
    exit_ip: entry.exitIp,
    target: entry.target,
    method: entry.method,
    status: entry.status,
    outcome: entry.outcome,
    attempt: entry.attempt,
    bytes_out: entry.bytesOut,
    bytes_in: entry.bytesIn,
    duration_ms: entry.durationMs,
    at: new Date(entry.at).toISOString(),
  }))
  const answer = await fetch(`${hub.url}/api/v1/usage`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ id: randomUUID(), records }),
  })
  const { stored } = (await answer.json()) as { stored?: number }
  if (stored !== BATCH) throw new Error(`a batch was answered with ${answer.status}, ${stored} stored`)
}

// A function of the lock's name that does nothing, for one of the stores: what the lock costs is what is left.
await pool.query(`create schema unlocked; create function unlocked.pg_advisory_xact_lock(bigint) returns void language sql as 'select'`)
const store = await open(url)
const unlocked = await open(`${url}?options=${encodeURIComponent('-c search_path=public,unlocked,pg_catalog')}`)

const subjects: readonly { name: string; write: () => Promise<unknown> }[] = [
  { name: 'floor: INSERT into one table', write: insertPlain },
  { name: 'the store', write: writerOf(store) },
  { name: 'the store without the lock', write: writerOf(unlocked) },
  { name: 'a hub, by HTTP', write: post },
]
const rows: string[][] = []
for (const writers of WRITERS) {
  const slices = subjects.map((): Slice[] => [])
  for (const { write } of subjects) await write()
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, { write }] of subjects.entries()) slices[index]?.push(await slice(writers, write))
  const rate = (index: number): number => median((slices[index] ?? []).map(({ perSecond }) => perSecond))
  for (const [index, { name }] of subjects.entries()) {
    const times = (slices[index] ?? []).flatMap((one) => one.times)
    const share = rate(index) / rate(0)
    rows.push([
      `${name}, ${writers} at once`,
      rate(index).toFixed(0),
      index === 0 ? '' : share.toFixed(2),
      quantileOf(times, 0.5).toFixed(0),
      quantileOf(times, 0.99).toFixed(0),
    ])
  }
}
await store.close()
await unlocked.close()

await database.read((query) => fillMonth(query, LINES))
const asked: string[][] = []
const day = new Date(Date.now() - 5 * 86_400_000).toISOString().slice(0, 10)
const [device = ''] = ids
for (const path of [
  'stats/overview?period=24h',
  'stats/overview?period=30d',
  `admin/devices/${device}/stats?period=30d`,
  'stats/devices?limit=100',
  'stats/devices?limit=100&period=30d',
  'stats/devices?limit=100&sort=-requests',
  'stats/devices?by=operator',
  'stats/requests?limit=100',
  `stats/requests?limit=100&device=${device}&period=30d`,
  'stats/requests?limit=100&site=shop-7.example&period=7d',
  'stats/ips?limit=100',
]) {
  const times: number[] = []
  for (let turn = 0; turn < ASKED; turn++) {
    const at = performance.now()
    const answer = await fetch(`${hub.url}/api/v1/${path}`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
    const body = await answer.text()
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${body.slice(0, 300)}`)
    times.push(performance.now() - at)
  }
  asked.push([`\`${path.replace(device, '{id}')}\``, quantileOf(times, 0.5).toFixed(1), quantileOf(times, 0.99).toFixed(1)])
}

/** A plan as EXPLAIN tells it. */
interface Plan {
  'Node Type': string
  'Relation Name'?: string
  'Actual Loops': number
  Plans?: Plan[]
}
const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)]

const compiled: CompiledQuery[] = []
const explaining = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }), log: ({ query }) => void compiled.push(query) })
const plans: string[][] = []
const from = Date.parse(day)
const whole = { from: Date.now() - DAYS * 86_400_000, to: Date.now(), limit: 100 }
for (const [name, filter, atMost] of [
  ['one day', { from, to: from + 86_400_000, limit: 100 }, 1],
  ['one day of one device', { from, to: from + 86_400_000, deviceIds: [device], limit: 100 }, 1],
  [`${DAYS} days of one device`, { ...whole, deviceIds: [device] }, DAYS + 1],
  [`${DAYS} days`, whole, DAYS + 1],
] as const) {
  compiled.length = 0
  await readLog(explaining, filter)
  const [query] = compiled
  if (!query) throw new Error('nothing was asked')
  const { rows: found } = await pool.query<{ 'QUERY PLAN': [{ Plan: Plan; 'Execution Time': number }] }>(
    `explain (analyze, format json) ${query.sql}`,
    [...query.parameters],
  )
  const [{ Plan: plan, 'Execution Time': ms } = { Plan: undefined, 'Execution Time': 0 }] = found[0]?.['QUERY PLAN'] ?? []
  const scans = plan ? nodesOf(plan).filter((node) => node['Relation Name']?.startsWith('request_logs')) : []
  const read = scans.filter((node) => node['Actual Loops'] > 0)
  const sequential = read.filter((node) => node['Node Type'] === 'Seq Scan')
  if (scans.length === 0 || scans.length > atMost || sequential.length > 0)
    throw new Error(`${name}: ${scans.length} tables in the plan, ${sequential.length} read whole: ${JSON.stringify(plan, null, 1)}`)
  plans.push([name, String(scans.length), String(read.length), String(sequential.length), ms.toFixed(2)])
}
const { rows: tables } = await pool.query<{ n: number }>(`select count(*) as n from pg_inherits where inhparent = 'request_logs'::regclass`)
await explaining.destroy()
await hub.end()
await database.close()
await rm(folder, { recursive: true, force: true })

report(
  'hub.usage',
  [
    table([`batches of ${BATCH} records`, 'records/s', 'of the floor', 'p50 of a batch, ms', 'p99, ms'], rows),
    table([`${FLEET.toLocaleString('en')} devices, ${LINES.toLocaleString('en')} lines`, 'p50, ms', 'p99, ms'], asked),
    table(
      [`page of the log, ${tables[0]?.n} days' tables`, 'tables in the plan', 'tables read', 'read whole', 'ms in the database'],
      plans,
    ),
  ].join('\n\n'),
)
