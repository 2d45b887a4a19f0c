export interface SiteAllowanceSettings {
  /** One more rotation a site each time that so much time has gone by, ms. 0: no bound. */
  readonly minSiteIntervalMs: number
  /** Share of the devices that are up that one site may have rotated at once. */
  readonly maxShare: number
}

/** Sites remembered; the longest unused is forgotten first, and by then its allowance is whole again or nobody asks. */
const REMEMBERED_SITES = 10_000

/**
 * How many rotations the bans of one site may cause, so that a site that refuses everybody cannot keep a fleet rotating.
 * In any stretch of time T, with `n` devices up, at most `max(1, floor(maxShare * n)) + T / minSiteIntervalMs`.
 * A generic cell rate: one number a site.
 */
export class SiteAllowance {
  readonly #settings: SiteAllowanceSettings
  /** When each site's allowance would be used up to nothing owed: the later, the more it has had. */
  readonly #usedUntil = new Map<string, number>()

  constructor(settings: SiteAllowanceSettings) {
    this.#settings = settings
  }

  /** When the site may have its next one: now, or later. */
  allowedAt(site: string, devicesUp: number, now: number): number {
    const { minSiteIntervalMs, maxShare } = this.#settings
    const burst = Math.max(1, Math.floor(maxShare * devicesUp))
    return Math.max(now, (this.#usedUntil.get(site) ?? 0) - (burst - 1) * minSiteIntervalMs)
  }

  /** Takes one rotation for the site; false when it has had its share. */
  take(site: string, devicesUp: number, now: number): boolean {
    const { minSiteIntervalMs } = this.#settings
    if (this.allowedAt(site, devicesUp, now) > now) return false
    const usedUntil = Math.max(now, this.#usedUntil.get(site) ?? 0)
    this.#usedUntil.delete(site)
    this.#usedUntil.set(site, usedUntil + minSiteIntervalMs)
    if (this.#usedUntil.size > REMEMBERED_SITES) {
      const oldest = this.#usedUntil.keys().next()
      if (!oldest.done) this.#usedUntil.delete(oldest.value)
    }
    return true
  }

  /** Gives one back: the rotation did not begin. */
  giveBack(site: string): void {
    const usedUntil = this.#usedUntil.get(site)
    if (usedUntil !== undefined) this.#usedUntil.set(site, usedUntil - this.#settings.minSiteIntervalMs)
  }
}
