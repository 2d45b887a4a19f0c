import { type RawBuilder, sql } from 'kysely'
import pg from 'pg'

const INT8 = 20

/** Numbers as numbers, as PGlite gives them: no column here passes 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') => (oid === INT8 ? Number : pg.types.getTypeParser(oid, format)),
}

/**
 * Begins a statement that is sent again and again with the same text: each connection plans it once, under this name. Planning the
 * heartbeats' took as long as writing 64 of them. Kysely has no such thing, so the name travels as a comment.
 */
export const repeated = (name: 'heartbeats'): RawBuilder<unknown> => sql.raw(`/* repeated: ${name} */`)

const REPEATED = /^\s*\/\* repeated: (\w+) \*\//

class Client extends pg.Client {
  // biome-ignore lint/suspicious/noExplicitAny: as many shapes as pg's own, which are handed on
  override query(...args: any[]): any {
    const [text, values, ...rest] = args as [unknown, unknown[] | undefined, ...unknown[]]
    const name = typeof text === 'string' && values !== undefined ? REPEATED.exec(text)?.[1] : undefined
    const send = super.query as (...given: unknown[]) => unknown
    return name === undefined ? send.apply(this, args) : send.apply(this, [{ name, text, values }, ...rest])
  }
}

/** A pool whose queries end: 3 s to connect, 10 s in the server, 15 s over all. */
export function postgresPool(connectionString: string, size: number): pg.Pool {
  const pool = new pg.Pool({
    Client,
    connectionString,
    max: size,
    types,
    application_name: 'mobilepool-hub',
    keepAlive: true,
    connectionTimeoutMillis: 3_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: 10_000,
    query_timeout: 15_000,
    idle_in_transaction_session_timeout: 30_000,
    // Statistics cost the planner much and take little: compiling one took 2 s, running it 0.1 s.
    onConnect: (client) => client.query('set jit = off'),
  })
  return surviving(pool)
}

/** A connection for migrations: waiting for another hub's migration may take longer than any query should. */
export function migrationPool(connectionString: string): pg.Pool {
  return surviving(
    new pg.Pool({ connectionString, max: 1, types, application_name: 'mobilepool-hub-migration', connectionTimeoutMillis: 3_000 }),
  )
}

/**
 * A connection that the server drops must not end the process: its query fails, and the pool opens another.
 * The pool listens to idle connections only, so those in use, between two queries of a transaction, need a listener too.
 */
function surviving(pool: pg.Pool): pg.Pool {
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}
