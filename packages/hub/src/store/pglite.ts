import { Worker } from 'node:worker_threads'
import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import { HubError } from '../errors.ts'
import type { FromWorker, ToWorker } from './pglite-messages.ts'

/** PGlite knows no statement_timeout: nobody waits longer than this, although the query goes on. */
const QUERY_TIMEOUT_MS = 30_000
/** Queries that may wait for the one connection before new ones are refused. */
const MAX_WAITING = 2_000
/** How long a close may take before the thread is ended. */
const CLOSE_TIMEOUT_MS = 5_000

/**
 * The embedded database as a pool of one connection, so that Kysely's Postgres dialect drives both databases with the same code.
 * It lives in a worker thread: a query blocks its thread, and HTTP must go on meanwhile.
 * A thread that died (a WASM abort) is started again by the next query.
 */
export function pglitePool(dir: string, startThread: (dir: string) => Worker = databaseThread): PostgresPool & { open(): Promise<void> } {
  let session: Promise<Session> | null = null
  let ended = false
  let held = false
  const waiting: { resolve: () => void }[] = []

  const start = (): Promise<Session> => {
    session ??= openSession(startThread(dir), () => {
      session = null
    }).catch((error: unknown) => {
      session = null
      throw error
    })
    return session
  }

  const acquire = (): Promise<void> => {
    if (!held) {
      held = true
      return Promise.resolve()
    }
    if (waiting.length >= MAX_WAITING)
      return Promise.reject(new HubError('database_down', 'The embedded database has more work than it can do; try again later.'))
    return new Promise((resolve) => waiting.push({ resolve }))
  }
  const release = (): void => {
    const next = waiting.shift()
    if (next) next.resolve()
    else held = false
  }

  return {
    options: {},
    open: async () => void (await start()),
    async connect() {
      if (ended) throw new HubError('database_down', 'The hub is stopping.')
      await acquire()
      try {
        return client(await start(), release)
      } catch (error) {
        release()
        throw error
      }
    },
    async end() {
      ended = true
      if (!session) return
      await acquire()
      const open = await session?.catch(() => null)
      await open?.close()
    },
  }
}

/** One query at a time: the pool's only client. */
function client(session: Session, release: () => void): PostgresPoolClient {
  let inTransaction = false
  const query = async <R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> => {
    const command = (/^\s*(\w+)/.exec(sql)?.[1] ?? '').toUpperCase()
    const { rows, rowCount } = await session.query(sql, parameters)
    if (command === 'BEGIN' || command === 'START') inTransaction = true
    if (command === 'COMMIT' || command === 'ROLLBACK') inTransaction = false
    return { command: command as PostgresQueryResult<R>['command'], rowCount, rows: rows as R[] }
  }
  return {
    query: query as PostgresPoolClient['query'],
    release() {
      // A transaction that nobody ended would swallow everything that follows it.
      if (inTransaction) void session.query('rollback', []).catch(() => {})
      release()
    },
  }
}

interface Session {
  query(sql: string, parameters: readonly unknown[]): Promise<{ rows: Record<string, unknown>[]; rowCount: number }>
  close(): Promise<void>
}

/** The thread that opens the database in a folder and answers for it. */
export function databaseThread(dir: string): Worker {
  // The build's worker lies beside the bundle; sources are run by Node's own type stripping.
  const file = import.meta.url.endsWith('.ts') ? './pglite-worker.ts' : './pglite-worker.js'
  return new Worker(new URL(file, import.meta.url), { workerData: { dir }, execArgv: [] })
}

/** Waits until the thread's database is open. */
async function openSession(worker: Worker, onEnd: () => void): Promise<Session> {
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const open = new Map<
    number,
    { resolve: (result: { rows: Record<string, unknown>[]; rowCount: number }) => void; reject: (error: unknown) => void }
  >()
  let nextId = 1
  let hasDied = false
  let opened: { resolve: () => void; reject: (error: unknown) => void } | null = null
  const ready = new Promise<void>((resolve, reject) => {
    opened = { resolve, reject }
  })

  const stopped = (cause?: unknown): HubError =>
    new HubError('database_down', 'The embedded database stopped; it is started again.', { cause })
  const die = (cause: unknown): void => {
    // An error and then the exit are one end: the session after it must not be taken for this one.
    if (hasDied) return
    hasDied = true
    onEnd()
    opened?.reject(cause)
    for (const { reject } of open.values()) reject(stopped(cause))
    open.clear()
  }
  worker.on('error', die)
  worker.once('exit', () => die(new Error('the database thread ended')))
  worker.on('message', (message: FromWorker) => {
    if (message.type === 'ready') opened?.resolve()
    else if (message.type === 'failed') opened?.reject(driverError(message))
    else {
      const asked = open.get(message.id)
      open.delete(message.id)
      if (message.type === 'result') asked?.resolve(message)
      else asked?.reject(driverError(message))
    }
  })
  const say = (message: ToWorker): void => worker.postMessage(message)

  await ready
  return {
    query(sql, parameters) {
      // Whoever held it when it died (in a transaction) would wait for an answer that nobody gives.
      if (hasDied) return Promise.reject(stopped())
      const id = nextId++
      const answer = new Promise<{ rows: Record<string, unknown>[]; rowCount: number }>((resolve, reject) =>
        open.set(id, { resolve, reject }),
      )
      const timer = setTimeout(() => {
        open.get(id)?.reject(new HubError('database_down', `The embedded database did not answer within ${QUERY_TIMEOUT_MS / 1000} s.`))
        open.delete(id)
      }, QUERY_TIMEOUT_MS)
      say({ type: 'query', id, sql, parameters: [...parameters] })
      return answer.finally(() => clearTimeout(timer))
    },
    async close() {
      say({ type: 'close' })
      const timer = setTimeout(() => void worker.terminate(), CLOSE_TIMEOUT_MS)
      await exited
      clearTimeout(timer)
    },
  }
}

const driverError = ({ message, code }: { message: string; code?: string }): Error =>
  Object.assign(new Error(message), code === undefined ? {} : { code })
