/** The embedded database's thread: opens the directory it is given, answers queries one by one. Spoken to by pglite.ts only. */
import { parentPort, workerData } from 'node:worker_threads'
import { openEmbeddedDatabase } from './embedded-database.ts'
import type { FromWorker, ToWorker } from './pglite-messages.ts'

if (!parentPort) throw new Error('runs as a worker thread only')
const port = parentPort

const say = (message: FromWorker): void => port.postMessage(message)

function describe(error: unknown): { message: string; code?: string } {
  const { message, code } = error as { message?: unknown; code?: unknown }
  return { message: String(message ?? error), ...(code === undefined ? {} : { code: String(code) }) }
}

try {
  const db = await openEmbeddedDatabase((workerData as { dir: string }).dir)
  port.on('message', (message: ToWorker) => {
    if (message.type === 'close') {
      void db.close().finally(() => port.close())
      return
    }
    db.query<Record<string, unknown>>(message.sql, message.parameters).then(
      ({ rows, affectedRows }) => say({ type: 'result', id: message.id, rows, rowCount: affectedRows ?? 0 }),
      (error: unknown) => say({ type: 'error', id: message.id, ...describe(error) }),
    )
  })
  say({ type: 'ready' })
} catch (error) {
  say({ type: 'failed', ...describe(error) })
  port.close()
}
