import { randomUUID } from 'node:crypto'
import PQueue from 'p-queue'
import type { Clock } from '../../clock.ts'
import { USAGE_BATCH_MAX, type UsageBatchJson, type UsageRecordJson } from '../../contract/index.ts'
import type { Emit } from '../../events.ts'
import type { AttemptRecord } from '../../telemetry/channels.ts'
import { type BackoffSettings, backoffMs } from './backoff.ts'
import { type HubClient, HubProblem } from './hub-client.ts'
import { pause } from './pause.ts'

export interface UsageSettings {
  /** How long a record waits for others before it is sent. */
  readonly flushMs: number
  /** Records that wait while the hub is away; more are dropped, and counted. */
  readonly maxBuffered: number
  /** How much of a target the hub is told. */
  readonly urls: 'none' | 'host' | 'path'
}

export interface UsageParts {
  readonly client: Pick<HubClient, 'reportUsage'>
  readonly clock: Clock
  readonly random: () => number
  readonly backoff: BackoffSettings
  readonly emit: Emit
}

/** What became of the records. */
export interface UsageStats {
  /** Taken by the hub. */
  readonly sent: number
  /** Not yet taken. */
  readonly waiting: number
  /** Lost: the buffer was full, the hub refused them, or it was away when the pool closed. */
  readonly dropped: number
}

/** The hub will never take these, however often they are sent. */
const HOPELESS_STATUSES: ReadonlySet<number> = new Set([400, 404, 405, 413, 415, 422])
/** While the pool closes. */
const CLOSING_RETRY_MS = 200
/** Longest target that the contract takes. */
const LONGEST_TARGET = 1_000
/** Longest session key that the contract takes. */
const LONGEST_SESSION = 100
/** Longest time that fits the contract's field. */
const LONGEST_MS = 2_147_483_647

/**
 * Reports attempts to the hub in batches, one batch at a time. While the hub is away they wait in a bounded buffer; a batch keeps its
 * id however often it is sent, so that it counts once.
 */
export class UsageReports {
  readonly #settings: UsageSettings
  readonly #parts: UsageParts
  readonly #queue = new PQueue({ concurrency: 1 })
  readonly #stop = new AbortController()
  /** The pool closes: nobody waits for the hub any longer than it takes. */
  readonly #hurry = new AbortController()
  #waiting: UsageRecordJson[] = []
  /** Records of the batch that is on its way. */
  #sending = 0
  #sent = 0
  #dropped = 0
  /** Dropped since listeners were told last. */
  #untold = 0
  #callOff: (() => void) | null = null
  #isClosing: boolean = false
  /** The hub is too old to take usage. */
  #isOff: boolean = false

  constructor(settings: UsageSettings, parts: UsageParts) {
    this.#settings = settings
    this.#parts = parts
  }

  get stats(): UsageStats {
    return { sent: this.#sent, waiting: this.#waiting.length + this.#sending, dropped: this.#dropped }
  }

  /** Takes the record of one attempt. `isByGateway`: the hub's gateway has counted it for the quota already. */
  add(record: AttemptRecord, path: string, isByGateway: boolean): void {
    if (this.#stop.signal.aborted) return
    if (this.#isOff || this.#waiting.length + this.#sending >= this.#settings.maxBuffered) {
      this.#drop(1)
      return
    }
    this.#waiting.push(toJson(record, path, { urls: this.#settings.urls, isByGateway }))
    if (this.#waiting.length >= USAGE_BATCH_MAX) this.#flush()
    else this.#callOff ??= this.#parts.clock.schedule(this.#settings.flushMs, () => this.#flush())
  }

  /** Sends what waits, for at most so long; what the hub has not taken by then is dropped. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosing = true
    this.#hurry.abort()
    if (timeoutMs === 0) this.#stop.abort()
    const callOff = this.#parts.clock.schedule(timeoutMs, () => this.#stop.abort(), { keepsProcessAlive: true })
    while (this.#sending > 0 || (this.#waiting.length > 0 && !this.#stop.signal.aborted)) {
      if (this.#queue.pending === 0) void this.#queue.add(() => this.#sendAll())
      await this.#queue.onIdle()
    }
    callOff()
    this.#stop.abort()
    this.#callOff?.()
    this.#drop(this.#waiting.splice(0).length)
    this.#tellDropped('the pool was closed while the hub did not take them')
  }

  #flush(): void {
    this.#callOff?.()
    this.#callOff = null
    if (this.#queue.pending > 0 || this.#waiting.length === 0) return
    void this.#queue.add(() => this.#sendAll())
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#stop.signal.aborted) {
      await this.#send({ id: randomUUID(), records: this.#waiting.splice(0, USAGE_BATCH_MAX) })
      if (this.#waiting.length < USAGE_BATCH_MAX && !this.#isClosing) break
    }
    // Those that came meanwhile, and asked for a flush that was not needed.
    if (this.#waiting.length > 0 && !this.#stop.signal.aborted)
      this.#callOff ??= this.#parts.clock.schedule(this.#settings.flushMs, () => this.#flush())
  }

  /** Tries until the hub has taken the batch, refused it for good, or the pool closes. */
  async #send(batch: UsageBatchJson): Promise<void> {
    const { client, clock, random, backoff } = this.#parts
    const { signal } = this.#stop
    this.#sending = batch.records.length
    for (let failures = 1; ; failures++) {
      try {
        await client.reportUsage(batch, signal)
        this.#sent += batch.records.length
        this.#tellDropped('the hub was away for longer than `usage.maxBuffered` lasts')
        break
      } catch (error) {
        const isHopeless = error instanceof HubProblem && HOPELESS_STATUSES.has(error.problem.status)
        if (isHopeless || signal.aborted) {
          this.#drop(batch.records.length)
          if (isHopeless && error.problem.status === 404) this.#turnOff()
          if (isHopeless) this.#tellDropped(`the hub does not take them: ${error.message}`)
          break
        }
        if (this.#isClosing) await pause(clock, CLOSING_RETRY_MS, signal, { keepsProcessAlive: true })
        else await pause(clock, backoffMs(failures, random, backoff), AbortSignal.any([signal, this.#hurry.signal]))
      }
    }
    this.#sending = 0
  }

  #turnOff(): void {
    this.#isOff = true
    this.#drop(this.#waiting.splice(0).length)
  }

  #drop(count: number): void {
    this.#dropped += count
    this.#untold += count
  }

  #tellDropped(reason: string): void {
    if (this.#untold === 0) return
    this.#parts.emit('usageDropped', { dropped: this.#untold, reason })
    this.#untold = 0
  }
}

function toJson(
  record: AttemptRecord,
  path: string,
  { urls, isByGateway }: { urls: UsageSettings['urls']; isByGateway: boolean },
): UsageRecordJson {
  return {
    device_id: record.deviceId,
    exit_ip: record.exitIp,
    target: targetOf(record.host, path, urls),
    method: record.method,
    status: record.statusCode ?? null,
    outcome: record.kind,
    attempt: record.attempt,
    bytes_out: record.bytesOut,
    bytes_in: record.bytesIn,
    duration_ms: Math.min(LONGEST_MS, Math.max(0, record.durationMs)),
    at: new Date(record.startedAt).toISOString(),
    ...(isByGateway ? { through: 'gateway' } : {}),
    ...(record.session === null ? {} : { session: sessionOf(record.session) }),
  }
}

/** As the contract takes it: a longer key is cut, and what cannot be written in a log line is a space. */
const sessionOf = (key: string): string => key.slice(0, LONGEST_SESSION).replace(/\p{C}/gu, ' ')

/** Never a query: that is where tokens are. */
function targetOf(host: string, path: string, urls: UsageSettings['urls']): string | null {
  if (urls === 'none') return null
  const shown = urls === 'host' ? host : host + (path.split(/[?#]/, 1)[0] ?? '')
  return shown === '' ? null : shown.slice(0, LONGEST_TARGET)
}
