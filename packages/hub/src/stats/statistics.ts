import type { UsageRecordJson } from '@mobilepool/sdk/contract'
import type { FleetEvent, FleetEvents } from '../fleet/events.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { Store, UsageEntry } from '../store/index.ts'
import { DataPlans, type DataUse } from './data-plans.ts'
import { pruneUsage, type Retention } from './prune-usage.ts'
import { type Rates, RecentUsage } from './recent.ts'
import { usageEntry } from './usage-entry.ts'

const DAY_MS = 86_400_000
/** What became of a batch. */
export interface TakenBatch {
  stored: number
  unknownDevices: number
  isDuplicate: boolean
}

export interface StatisticsParts {
  store: Pick<Store, 'usage' | 'statistics'>
  fleet: Pick<Fleet, 'devices' | 'find'>
  events: FleetEvents
  config: Retention & { logQueryStrings: boolean }
  /** Of a data plan: what is told when it is used. */
  dataPlanPercent: () => number
  now: () => number
}

/** Takes what pools report: stored once, counted for rates and data plans. Days and hours are UTC's. */
export class Statistics {
  readonly #parts: StatisticsParts
  readonly #recent: RecentUsage
  readonly #plans: DataPlans
  readonly #hear: (event: FleetEvent) => void

  private constructor(parts: StatisticsParts) {
    this.#parts = parts
    this.#recent = new RecentUsage(parts.now)
    this.#plans = new DataPlans(parts)
    this.#hear = (event) => {
      if (event.type === 'device_removed') this.#plans.forget(event.id)
      else if (event.type === 'device') this.#plans.look(event.device)
    }
    parts.events.on('event', this.#hear)
  }

  /** Ready to take batches: the log's tables are there, data plans are counted. @throws HubError `database_down` */
  static async load(parts: StatisticsParts): Promise<Statistics> {
    const statistics = new Statistics(parts)
    await parts.store.usage.prepare(parts.now())
    await statistics.#plans.load()
    return statistics
  }

  /**
   * Stores a batch, once, whatever clock its sender goes by: what lies in the future counts as now, what is older than the log's
   * retention as its oldest. @throws HubError `database_down`
   */
  async record(
    { id, records }: { id: string; records: readonly UsageRecordJson[] },
    { clientIp, reporter }: { clientIp: string; reporter: string },
  ): Promise<TakenBatch> {
    const { store, fleet, config } = this.#parts
    const now = this.#parts.now()
    const rules = { now, oldest: now - config.logRetentionDays * DAY_MS, keepsQuery: config.logQueryStrings }
    const reported = new Set(records.map(({ device_id }) => device_id))
    const elsewhere = await store.usage.known([...reported].filter((deviceId) => !fleet.find(deviceId)))
    const isKnown = (deviceId: string): boolean => fleet.find(deviceId) !== null || elsewhere.has(deviceId)
    const entries = records.map((record) => usageEntry(record, rules)).filter(({ deviceId }) => isKnown(deviceId))
    const stored = await store.usage.write({ id, clientIp, reporter, receivedAt: now, entries })
    if (stored === null) return { stored: 0, unknownDevices: 0, isDuplicate: true }
    this.#count(entries)
    return { stored, unknownDevices: records.length - stored, isDuplicate: false }
  }

  /** Success rates of the latest so many seconds, at most 3600, of what this hub took. */
  rates(windowSeconds: number): Rates {
    return this.#recent.rates(windowSeconds)
  }

  /** What has been used of each data plan in its month. */
  dataPlans(): Map<string, DataUse> {
    return this.#plans.all()
  }

  /** What has been used of one device's; null: it has no plan. */
  dataPlan(deviceId: string): DataUse | null {
    return this.#plans.of(deviceId)
  }

  /** Deletes what is past its time, makes the log's next days, counts data plans anew. @throws HubError `database_down` */
  async maintain(): Promise<void> {
    const { store, config } = this.#parts
    const now = this.#parts.now()
    await store.usage.prepare(now)
    await pruneUsage(store, config, now)
    await this.#plans.load()
  }

  close(): void {
    this.#parts.events.off('event', this.#hear)
  }

  #count(entries: readonly UsageEntry[]): void {
    this.#recent.add(entries)
    this.#plans.add(entries)
  }
}
