import type { Logger } from 'pino'
import { type AuditEntry, type AuditStore, isDatabaseDown } from '../store/index.ts'

/** Entries that come within this time are written together. */
const GROUP_MS = 5
const GROUP_SIZE = 500
/** Entries that wait while the database is away; when there are more, the newest are lost and counted in the log. */
const MAX_WAITING = 5_000
const RETRY_MS = 1_000

export interface AuditLogParts {
  store: AuditStore
  log: Logger
}

/** Writes who changed what: in groups, in order, and later when the database is away. */
export class AuditLog {
  readonly #parts: AuditLogParts
  readonly #waiting: AuditEntry[] = []
  #timer: NodeJS.Timeout | null = null
  #written: Promise<void> = Promise.resolve()
  #settle: () => void = () => {}
  #lost = 0

  constructor(parts: AuditLogParts) {
    this.#parts = parts
  }

  /** Writes an entry. Resolves when it is written or has been tried; never rejects. */
  record(entry: AuditEntry): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#lost += 1
      return Promise.resolve()
    }
    this.#waiting.push(entry)
    if (this.#timer === null) this.#schedule(GROUP_MS)
    return this.#written
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    // Without a timer a group is being written; with one, whoever waits for it waits for the flush below.
    if (this.#timer === null) await this.#written
    const waited = this.#settle
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    await this.#flush().catch(() => {})
    waited()
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#waiting.length > 0) this.#parts.log.error({ entries: this.#waiting.length }, 'The end of the audit log could not be written.')
  }

  #schedule(ms: number): void {
    this.#written = new Promise((resolve) => {
      this.#settle = resolve
      this.#timer = setTimeout(() => {
        this.#timer = null
        void this.#flush().finally(resolve)
      }, ms)
    })
  }

  async #flush(): Promise<void> {
    const group = this.#waiting.splice(0, GROUP_SIZE)
    if (group.length === 0) return
    try {
      await this.#parts.store.add(group)
    } catch (error) {
      if (!isDatabaseDown(error)) {
        this.#parts.log.error({ err: error, entries: group.length }, 'Entries of the audit log could not be written.')
        return
      }
      this.#waiting.unshift(...group)
      if (this.#timer === null) this.#schedule(RETRY_MS)
      return
    }
    if (this.#lost > 0)
      this.#parts.log.error({ entries: this.#lost }, 'The database was away for long: entries of the audit log were lost.')
    this.#lost = 0
    if (this.#waiting.length > 0 && this.#timer === null) this.#schedule(0)
  }
}
