import type { Logger } from 'pino'
import { isDatabaseDown, type Store, type UseCounts } from '../store/index.ts'
import type { FleetEvent, FleetEvents } from './events.ts'
import type { Fleet } from './fleet.ts'

/** Pairs of device and exit IP, and banned exits, that wait to be written: with the database away, some minutes of a large fleet. */
const MAX_WAITING = 20_000

/** One attempt, as far as it is counted here. */
export interface CountedAttempt {
  deviceId: string
  exitIp: string | null
  outcome: string
  durationMs: number
}

export interface TalliesParts {
  fleet: Pick<Fleet, 'find'>
  store: { ipHistory: Pick<Store['ipHistory'], 'count'> }
  events: FleetEvents
  log: Logger
  now: () => number
}

type DeviceCount = UseCounts['devices'][number]
type ExitCount = UseCounts['exits'][number]
type BlockCount = UseCounts['blocks'][number]

/**
 * Adds up what pools report: each device's requests all time, and of each address how many requests it carried and how often it was
 * banned. Written once a second, not with each request: a hub that is killed forgets the last second of these counts (the requests
 * themselves are in the usage log before they are acknowledged).
 */
export class Tallies {
  readonly #parts: TalliesParts
  readonly #devices = new Map<string, DeviceCount>()
  readonly #exits = new Map<string, ExitCount>()
  readonly #blocks = new Map<string, BlockCount>()
  readonly #stop: () => void
  #writing: Promise<void> | null = null

  constructor(parts: TalliesParts) {
    this.#parts = parts
    const take = (event: FleetEvent): void => {
      if (event.type === 'quarantine')
        for (const { exitIp, site, rule } of event.begun) this.#block(exitIp, rule === null ? site : `${site} (${rule})`)
    }
    parts.events.on('event', take)
    this.#stop = () => parts.events.off('event', take)
  }

  /** Counts attempts that were reported for the first time. */
  use(attempts: readonly CountedAttempt[]): void {
    for (const { deviceId, exitIp, outcome, durationMs } of attempts) {
      const device = this.#parts.fleet.find(deviceId)
      if (!device) continue
      const isSuccess = outcome === 'answered'
      const one = { requests: 1, successful: isSuccess ? 1 : 0, failed: isSuccess ? 0 : 1, durationMs }
      device.totals = sum(device.totals, one)
      this.#addDevice({ deviceId: device.id, ...one })
      if (exitIp !== null) this.#addExit({ deviceId: device.id, ip: exitIp, requests: 1 })
    }
  }

  /** Once a second. */
  tick(): void {
    if (this.#writing !== null || this.#devices.size + this.#exits.size + this.#blocks.size === 0) return
    const counts: UseCounts = { devices: [...this.#devices.values()], exits: [...this.#exits.values()], blocks: [...this.#blocks.values()] }
    for (const waiting of [this.#devices, this.#exits, this.#blocks]) waiting.clear()
    this.#writing = this.#parts.store.ipHistory
      .count(counts)
      .catch((error: unknown) => this.#putBack(counts, error))
      .finally(() => {
        this.#writing = null
      })
  }

  /** Writes what waits, and stops. */
  async close(): Promise<void> {
    this.#stop()
    await this.#writing
    this.tick()
    await this.#writing
  }

  #putBack({ devices, exits, blocks }: UseCounts, error: unknown): void {
    if (!isDatabaseDown(error)) {
      // What the database refuses now it would refuse for ever.
      this.#parts.log.error({ err: error }, 'Counts of requests could not be written.')
      return
    }
    for (const count of devices) this.#addDevice(count)
    for (const count of exits) this.#addExit(count)
    for (const count of blocks) this.#addBlock(count)
  }

  #block(ip: string, reason: string): void {
    this.#addBlock({ ip, times: 1, at: this.#parts.now(), reason: reason.slice(0, 400) })
  }

  #addDevice(count: DeviceCount): void {
    const known = this.#devices.get(count.deviceId)
    this.#devices.set(count.deviceId, known ? { deviceId: count.deviceId, ...sum(known, count) } : count)
  }

  #addExit(count: ExitCount): void {
    const key = `${count.deviceId} ${count.ip}`
    const known = this.#exits.get(key)
    if (known) this.#exits.set(key, { ...known, requests: known.requests + count.requests })
    else if (this.#exits.size < MAX_WAITING) this.#exits.set(key, count)
  }

  #addBlock(count: BlockCount): void {
    const known = this.#blocks.get(count.ip)
    if (known) this.#blocks.set(count.ip, { ...count, times: known.times + count.times, at: Math.max(known.at, count.at) })
    else if (this.#blocks.size < MAX_WAITING) this.#blocks.set(count.ip, count)
  }
}

type Totals = Omit<DeviceCount, 'deviceId'>

const sum = (a: Totals, b: Totals): Totals => ({
  requests: a.requests + b.requests,
  successful: a.successful + b.successful,
  failed: a.failed + b.failed,
  durationMs: a.durationMs + b.durationMs,
})
