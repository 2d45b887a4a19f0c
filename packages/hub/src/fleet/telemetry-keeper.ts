import type { Logger } from 'pino'
import { isDatabaseDown, type Store } from '../store/index.ts'
import type { Device } from './device.ts'
import type { FleetEvent, FleetEvents } from './events.ts'

/** Agents speak every 10 to 30 s; what one said last is worth a write a minute. */
const EVERY_MS = 60_000
/** Devices of one statement. */
const GROUP = 500

export interface TelemetryParts {
  store: { telemetry: Pick<Store['telemetry'], 'write'> }
  events: FleetEvents
  log: Logger
  now: () => number
}

/** Writes what agents said last, once a minute and at the end, so that a restarted hub knows it. */
export class TelemetryKeeper {
  readonly #parts: TelemetryParts
  readonly #unwritten = new Set<Device>()
  readonly #stop: () => void
  #dueAt: number
  #writing: Promise<void> | null = null

  constructor(parts: TelemetryParts) {
    this.#parts = parts
    this.#dueAt = parts.now() + EVERY_MS
    const take = (event: FleetEvent): void => {
      if (event.type === 'telemetry') this.#unwritten.add(event.device)
      else if (event.type === 'device_removed')
        for (const device of this.#unwritten) if (device.id === event.id) this.#unwritten.delete(device)
    }
    parts.events.on('event', take)
    this.#stop = () => parts.events.off('event', take)
  }

  /** Once a second. */
  tick(): void {
    if (this.#parts.now() < this.#dueAt || this.#writing !== null) return
    this.#dueAt = this.#parts.now() + EVERY_MS
    this.#writing = this.#write().finally(() => {
      this.#writing = null
    })
  }

  /** Writes what waits, and stops. */
  async close(): Promise<void> {
    this.#stop()
    await this.#writing
    await this.#write()
  }

  async #write(): Promise<void> {
    const devices = [...this.#unwritten]
    for (let begin = 0; begin < devices.length; begin += GROUP) {
      const group = devices.slice(begin, begin + GROUP)
      const said = group.flatMap(({ id, telemetry }) =>
        telemetry === null ? [] : [{ deviceId: id, telemetry: telemetry.said, at: telemetry.at }],
      )
      try {
        await this.#parts.store.telemetry.write(said)
      } catch (error) {
        if (!isDatabaseDown(error)) this.#parts.log.error({ err: error }, 'What agents said could not be written.')
        return
      }
      for (const device of group) this.#unwritten.delete(device)
    }
  }
}
