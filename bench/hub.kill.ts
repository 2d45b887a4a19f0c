/**
 * kill -9 of a hub at random moments under load, on Postgres and on PGlite: what was acknowledged must be in the database afterwards.
 * `node bench/hub.kill.ts [kills for each database] [--write]`; fails when anything is missing.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { freshPglite, freshPostgres } from './harness/hub-database.ts'
import { startHubProcess } from './harness/hub-process.ts'
import { KillLoad } from './harness/kill-load.ts'
import { report, table } from './harness/report.ts'

const KILLS = Number(process.argv[2]) || 50
/** A kill comes after this long under load, at the latest. */
const MOMENT_MS = 1_500
const HUB = { ROTATION_MIN_INTERVAL: '0', ROTATION_TIMEOUT: '300' }

const rows: (string | number)[][] = []
let isWhole = true
for (const fresh of [freshPostgres, freshPglite]) {
  const database = await fresh()
  const load = new KillLoad()
  const missing = new Set<string>()
  try {
    const first = await startHubProcess({ ...database.env, ...HUB })
    await load.enrol(first.url)
    await first.end()
    for (let kill = 0; kill < KILLS; kill++) {
      const hub = await startHubProcess({ ...database.env, ...HUB })
      const over = new AbortController()
      const running = load.run(hub.url, over.signal)
      await Promise.race([delay(50 + Math.random() * MOMENT_MS), running])
      await hub.end('SIGKILL')
      over.abort()
      await running
      for (const what of await database.read((query) => load.missing(query))) {
        if (!missing.has(what)) console.error(`after kill ${kill + 1} on ${database.name} there is missing: ${what}`)
        missing.add(what)
      }
    }
  } finally {
    await database.close()
  }
  const { heartbeats, ipChanges, rotations, ends, batches } = load.acknowledged
  rows.push([database.name, KILLS, heartbeats, ipChanges, rotations, ends, batches, missing.size])
  if (missing.size > 0 || Math.min(heartbeats, ipChanges, rotations, ends, batches) === 0) isWhole = false
}
report(
  'hub.kill',
  table(['', 'kills', 'heartbeats', 'IP changes', 'rotations', 'their ends', 'usage batches', 'missing of what was acknowledged'], rows),
)
process.exitCode = isWhole ? 0 : 1
