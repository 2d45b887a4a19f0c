import type { Logger } from 'pino'
import { isDatabaseDown, type Store } from '../store/index.ts'
import { type Device, exitOf } from './device.ts'
import type { FleetEvent, FleetEvents } from './events.ts'
import type { Fleet } from './fleet.ts'

/** A fleet that rotates changes many addresses at once: they are looked up together, some at a time. */
const GROUP = 500

export interface IpRecallParts {
  fleet: Pick<Fleet, 'find' | 'all' | 'changed'>
  store: { ipHistory: Pick<Store['ipHistory'], 'recall'> }
  events: FleetEvents
  log: Logger
}

/** Remembers of each device whether it had its address before: a rotation that brings back an old one has gained little. */
export class IpRecall {
  readonly #parts: IpRecallParts
  readonly #asked = new Set<Device>()
  readonly #stop: () => void
  #looking: Promise<void> | null = null

  private constructor(parts: IpRecallParts) {
    this.#parts = parts
    const take = (event: FleetEvent): void => {
      if (event.type !== 'ip_changed') return
      const device = parts.fleet.find(event.id)
      if (!device) return
      device.seenBefore = null
      this.#asked.add(device)
    }
    parts.events.on('event', take)
    this.#stop = () => parts.events.off('event', take)
  }

  /** With what is known of the addresses that the devices have now. @throws HubError `database_down` */
  static async load(parts: IpRecallParts): Promise<IpRecall> {
    const recall = new IpRecall(parts)
    const devices = [...parts.fleet.all]
    for (let begin = 0; begin < devices.length; begin += GROUP) await recall.#lookUp(devices.slice(begin, begin + GROUP), false)
    return recall
  }

  /** Once a second: looks up the addresses that came since. */
  tick(): void {
    if (this.#looking !== null || this.#asked.size === 0) return
    const group = [...this.#asked].slice(0, GROUP)
    for (const device of group) this.#asked.delete(device)
    this.#looking = this.#lookUp(group, true)
      .catch((error: unknown) => {
        if (isDatabaseDown(error)) for (const device of group) this.#asked.add(device)
        else this.#parts.log.error({ err: error }, 'Whether addresses were seen before could not be looked up.')
      })
      .finally(() => {
        this.#looking = null
      })
  }

  /** Stops, and waits for what is under way. */
  async close(): Promise<void> {
    this.#stop()
    await this.#looking
  }

  async #lookUp(devices: readonly Device[], isNews: boolean): Promise<void> {
    const asked = devices.flatMap((device) => {
      const exit = exitOf(device)
      return exit === null ? [] : [{ device, key: device.id, deviceId: device.id, ip: exit.ip, since: exit.firstSeen }]
    })
    if (asked.length === 0) return
    const found = await this.#parts.store.ipHistory.recall(asked)
    for (const { device, ip } of asked) {
      const before = found.get(device.id) ?? null
      // It may have yet another address by now.
      if (exitOf(device)?.ip !== ip || before === null) continue
      device.seenBefore = before
      if (!isNews) continue
      this.#parts.log.info(
        { device: device.name, ip, times: before.times, last: new Date(before.lastSeen).toISOString() },
        'The device had this address before.',
      )
      this.#parts.fleet.changed(device)
    }
  }
}
