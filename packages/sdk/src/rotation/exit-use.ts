import type { Device } from '../core/device.ts'
import type { ExitMemory } from '../core/quarantine.ts'

interface Use {
  readonly exit: ExitMemory
  requests: number
  /** Requests that met a ban, by site. */
  readonly banned: Map<string, { count: number; seen: WeakSet<object> }>
}

/** Sites whose bans are counted for one exit; the longest known is forgotten first. */
const SITES_PER_EXIT = 1_000

/** What each device's exit IP has been through since the device's last rotation. An exit IP that changes by itself begins anew. */
export class ExitUse {
  readonly #uses = new WeakMap<Device, Use>()

  /** An attempt reached a site through this exit; returns how many did. What ran over an exit IP of before does not count: 0. */
  countRequest(device: Device, exit: ExitMemory): number {
    if (device.exit !== exit) return 0
    const use = this.#of(device)
    use.requests++
    return use.requests
  }

  /**
   * A request met a ban; returns how many requests did, and the site that most of them were for. One request counts once a site,
   * however often it was tried. `strikes` 1: the site had answered properly before, so its count begins anew.
   */
  countBan(device: Device, site: string, request: object, strikes: number): { count: number; worstSite: string } {
    const { banned } = this.#of(device)
    const known = banned.get(site)
    const record = known === undefined || (strikes === 1 && !known.seen.has(request)) ? { count: 0, seen: new WeakSet() } : known
    if (!record.seen.has(request)) record.count++
    record.seen.add(request)
    banned.set(site, record)
    if (banned.size > SITES_PER_EXIT) {
      const oldest = banned.keys().next()
      if (!oldest.done) banned.delete(oldest.value)
    }
    let count = 0
    let worstSite = site
    for (const [other, one] of banned) {
      count += one.count
      if (one.count > (banned.get(worstSite)?.count ?? 0)) worstSite = other
    }
    return { count, worstSite }
  }

  /** The device has rotated, with whatever outcome. */
  forget(device: Device): void {
    this.#uses.delete(device)
  }

  #of(device: Device): Use {
    const known = this.#uses.get(device)
    if (known !== undefined && known.exit === device.exit) return known
    const use: Use = { exit: device.exit, requests: 0, banned: new Map() }
    this.#uses.set(device, use)
    return use
  }
}
