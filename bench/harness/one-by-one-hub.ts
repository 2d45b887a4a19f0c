/**
 * The floor of bench/hub.heartbeats.ts, as a process: the hub of this tree with everything that its HTTP server does, except that each
 * heartbeat is an upsert of its own, as a simple backend writes it. Prints its URL as the hub does.
 */
import { readConfig, readOptions } from '../../packages/hub/src/config-sources.ts'
import { HeartbeatWriter } from '../../packages/hub/src/fleet/heartbeat-writer.ts'
import { createHub } from '../../packages/hub/src/hub.ts'
import { postgresPool } from '../../packages/hub/src/store/postgres.ts'

const { databaseUrl, databasePoolSize } = readConfig(process.env)
if (databaseUrl === null) throw new Error('the floor is measured on Postgres: DATABASE_URL')
const pool = postgresPool(databaseUrl, databasePoolSize)

/** Only the hot row: cheaper than what the hub writes, so that the floor is not made heavy. */
const UPSERT = {
  name: 'heartbeat',
  text: `insert into proxy_heartbeat (device_id, remote_ip, ip_changes, created_at, updated_at) values ($1, $2, $3, $4, $4)
    on conflict (device_id) do update set remote_ip = excluded.remote_ip, ip_changes = excluded.ip_changes, updated_at = excluded.updated_at`,
}
HeartbeatWriter.prototype.write = async ({ deviceId, ip, ipChanges, seenAt }) => {
  await pool.query({ ...UPSERT, values: [deviceId, ip, ipChanges, new Date(seenAt)] })
  return 'stored'
}

const { options } = readOptions({ ...process.env, API_PORT: '0' })
const hub = await createHub(options)
console.log(`The floor: ${hub.url}/`)
process.once('SIGTERM', () => void hub.close().then(() => pool.end()))
