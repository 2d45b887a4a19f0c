/** Width of a slot. */
const SLOT_MS = 30_000
/** The longest window that can be asked for. */
const KEPT_MS = 3_600_000
/** Sites told apart in a slot; more are counted with the fleet only. */
const MAX_SITES = 1_000

/** Attempts, and those of them that were answered. */
interface Rate {
  attempts: number
  succeeded: number
}

/** The rates of a window: the fleet's, and those of devices (by id) and sites that had attempts. */
export interface Rates {
  fleet: Rate
  devices: Map<string, Rate>
  sites: Map<string, Rate>
}

/** One attempt, as far as rates go. Times in ms. */
interface Attempt {
  deviceId: string
  site: string | null
  outcome: string
  at: number
}

/**
 * Success rates of the latest time, up to an hour, in memory: fed by the batches that this hub took. Attempts count when they began, so
 * that what parsers deliver late, after an outage, does not look like now. A window is exact to 30 s.
 */
export class RecentUsage {
  readonly #slots = new Map<number, Rates>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** Counts what was taken. */
  add(attempts: readonly Attempt[]): void {
    const oldest = this.#now() - KEPT_MS
    for (const { deviceId, site, outcome, at } of attempts) {
      if (at < oldest) continue
      const key = Math.floor(at / SLOT_MS)
      let slot = this.#slots.get(key)
      if (!slot) {
        slot = none()
        this.#slots.set(key, slot)
      }
      const rate = { attempts: 1, succeeded: outcome === 'answered' ? 1 : 0 }
      addTo(slot.fleet, rate)
      addUnder(slot.devices, deviceId, rate)
      if (site !== null && (slot.sites.size < MAX_SITES || slot.sites.has(site))) addUnder(slot.sites, site, rate)
    }
    for (const key of this.#slots.keys()) if ((key + 1) * SLOT_MS < oldest) this.#slots.delete(key)
  }

  /** The rates of the latest so many seconds, at most 3600. */
  rates(windowSeconds: number): Rates {
    const since = this.#now() - Math.min(windowSeconds * 1_000, KEPT_MS)
    const sum = none()
    for (const [key, slot] of this.#slots) {
      if ((key + 1) * SLOT_MS <= since) continue
      addTo(sum.fleet, slot.fleet)
      for (const [id, rate] of slot.devices) addUnder(sum.devices, id, rate)
      for (const [site, rate] of slot.sites) addUnder(sum.sites, site, rate)
    }
    return sum
  }
}

const none = (): Rates => ({ fleet: { attempts: 0, succeeded: 0 }, devices: new Map(), sites: new Map() })

function addTo(sum: Rate, { attempts, succeeded }: Rate): void {
  sum.attempts += attempts
  sum.succeeded += succeeded
}

function addUnder(rates: Map<string, Rate>, key: string, rate: Rate): void {
  const known = rates.get(key)
  if (known) addTo(known, rate)
  else rates.set(key, { ...rate })
}
