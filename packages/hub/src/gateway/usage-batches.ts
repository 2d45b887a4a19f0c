import { USAGE_BATCH_MAX, type UsageRecordJson } from '@mobilepool/sdk/contract'
import type { AttemptRecord } from '@mobilepool/sdk/gateway'
import type { Logger } from 'pino'
import { isDatabaseDown } from '../store/index.ts'

/** Whom requests are for, and from where they came. */
export interface Client {
  readonly reporter: string
  readonly address: string
  /** It reports what it does itself: nothing of it is written here. @default false */
  readonly reportsItself?: boolean
}

export interface UsageBatchesParts {
  /** Stores a batch, once. @throws HubError `database_down` */
  store: (batch: { id: string; records: readonly UsageRecordJson[] }, client: Client) => Promise<unknown>
  newId: () => string
  log: Logger
}

/** How long a record waits for others. */
const FLUSH_MS = 1_000
/** Records that wait while the database is away, some 300 bytes each; more are dropped and counted. */
const MAX_WAITING = 20_000
/** Longest time that fits the contract's field. */
const LONGEST_MS = 2_147_483_647

interface Batch {
  readonly id: string
  readonly client: Client
  readonly records: UsageRecordJson[]
}

/**
 * What went through the gateway, on its way into the request log: in batches by client, one write at a time, nothing on the way of a
 * request waiting for it. While the database is away batches wait under their ids, so that each counts once.
 */
export class UsageBatches {
  readonly #parts: UsageBatchesParts
  readonly #open = new Map<string, Batch>()
  #full: Batch[] = []
  #waiting = 0
  #dropped = 0
  #timer: NodeJS.Timeout | null = null
  #writing: Promise<void> | null = null

  constructor(parts: UsageBatchesParts) {
    this.#parts = parts
  }

  /** Records lost since the start because too many waited. */
  get dropped(): number {
    return this.#dropped
  }

  add(record: AttemptRecord, client: Client): void {
    if (this.#waiting >= MAX_WAITING) {
      this.#dropped += 1
      return
    }
    this.#waiting += 1
    const key = `${client.reporter} ${client.address}`
    const batch = this.#open.get(key) ?? { id: this.#parts.newId(), client, records: [] }
    this.#open.set(key, batch)
    batch.records.push(toJson(record))
    if (batch.records.length >= USAGE_BATCH_MAX) {
      this.#open.delete(key)
      this.#full.push(batch)
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      void this.#flush()
    }, FLUSH_MS)
  }

  /** Writes what waits; what the database does not take now is lost. */
  async close(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    await this.#writing
    await this.#flush()
    if (this.#timer) clearTimeout(this.#timer)
    if (this.#waiting > 0) this.#parts.log.warn({ records: this.#waiting }, 'Usage of the gateway was lost: the database is away.')
  }

  #flush(): Promise<void> {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = null
    })
    return this.#writing
  }

  async #writeAll(): Promise<void> {
    this.#full.push(...this.#open.values())
    this.#open.clear()
    for (let batch = this.#full[0]; batch; batch = this.#full[0]) {
      try {
        await this.#parts.store(batch, batch.client)
      } catch (error) {
        if (isDatabaseDown(error)) {
          this.#timer ??= setTimeout(() => {
            this.#timer = null
            void this.#flush()
          }, FLUSH_MS)
          return
        }
        this.#parts.log.error({ err: error }, 'Usage of the gateway could not be stored.')
      }
      this.#full.shift()
      this.#waiting -= batch.records.length
    }
  }
}

const toJson = (record: AttemptRecord): UsageRecordJson => ({
  device_id: record.deviceId,
  exit_ip: record.exitIp,
  target: record.host === '' ? null : record.host.slice(0, 1_000),
  method: record.method,
  status: record.statusCode ?? null,
  outcome: record.kind,
  attempt: record.attempt,
  bytes_out: record.bytesOut,
  bytes_in: record.bytesIn,
  duration_ms: Math.min(LONGEST_MS, Math.max(0, Math.round(record.durationMs))),
  at: new Date(record.startedAt).toISOString(),
  // As the user name has it: whose it is, the reporter says.
  ...(record.session === null ? {} : { session: record.session.slice(0, record.session.lastIndexOf('@')) }),
})
