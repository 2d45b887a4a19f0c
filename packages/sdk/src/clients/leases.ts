import type { Device } from '../core/device.ts'
import { LeaseHold } from '../core/lease-hold.ts'
import { closedError } from '../dispatch/no-device-errors.ts'
import { HeldLease, type LeaseHost, type LeaseMakings } from './held-lease.ts'
import type { Lease } from './lease.ts'
import { type LeaseOptions, type LeaseSettings, parseLeaseOptions } from './lease-options.ts'
import type { LocalProxies } from './listen/local-proxies.ts'
import { proxyForms } from './proxy-forms.ts'
import { type Scope, scopeOf } from './scope.ts'

export interface LeasesParts extends LeaseHost {
  readonly localProxies: LocalProxies
  /** The URL of a device's own proxy; undefined when it has left. */
  readonly proxyUrlOf: (device: Device) => string | undefined
  /** Nobody has a lease of the device any more. */
  readonly onLeft: (device: Device) => void
}

/** The leases of a pool: takes them, ends them when their devices change, and all of them when the pool closes. */
export class Leases {
  readonly #parts: LeasesParts
  readonly #byDevice = new Map<Device, Set<HeldLease>>()
  /** Devices to look at as soon as what goes on is done. */
  readonly #changed = new Set<Device>()
  #taken = 0
  #isClosed: boolean = false

  constructor(parts: LeasesParts) {
    this.#parts = parts
    parts.carrier.core.onChange = (device) => this.#noteChange(device)
  }

  /** Waits for a device like a request. Rejects with `MP_OPTIONS`, as requests that get no device do, or with the signal's reason. */
  async take(options: LeaseOptions): Promise<Lease> {
    const { view, site, onIpChange, onBan, proxy: kind, signal } = parseLeaseOptions(options)
    const scope = scopeOf(view)
    const { engine } = this.#parts.carrier
    const asked = this.#parts.carrier.viewFor(scope)
    // What hashes the site would give all leases without one the same device.
    const hashKey = asked.hashKey ?? (site === null ? `lease ${++this.#taken}` : null)
    for (;;) {
      const device = await engine.choose(site, { ...asked, hashKey }, signal)
      if (this.#isClosed) throw closedError()
      const isBanned = onBan === 'fail' && site !== null ? () => engine.isQuarantined(device, site) : null
      const hold = new LeaseHold(device, onIpChange === 'fail' ? 'keep' : 'follow', isBanned)
      // What the device must be like is settled: from here on it is this one.
      const own: Scope = { ...scope, accepts: null, session: null, sticky: hold }
      const proxy = await this.#openProxy(kind, own)
      // Between its choice and here the device may have gone, and the pool may have closed.
      if (hold.breach === null && !this.#isClosed) {
        const onRelease = (lease: HeldLease): void => this.#released(lease, scope.session === null)
        return this.#keep(new HeldLease(this.#parts, { hold, scope: own, site, proxy, onRelease }))
      }
      await proxy?.revoke()
    }
  }

  /** Other pools have found bans: which of them are of devices that are leased is looked up. */
  noteBans(): void {
    for (const device of this.#byDevice.keys()) this.#noteChange(device)
  }

  /** Ends all; none is given any more. */
  close(error: Error): void {
    this.#isClosed = true
    for (const leases of [...this.#byDevice.values()]) for (const lease of leases) void lease.end(error)
    this.#byDevice.clear()
  }

  async #openProxy(kind: LeaseSettings['proxy'], scope: Scope): Promise<LeaseMakings['proxy']> {
    if (kind === false) return null
    if (kind === 'local') {
      const { url, revoke } = await this.#parts.localProxies.grant(scope)
      return { forms: proxyForms(url), revoke }
    }
    const url = scope.sticky?.device ? this.#parts.proxyUrlOf(scope.sticky.device) : undefined
    return url === undefined ? null : { forms: proxyForms(url), revoke: () => Promise.resolve() }
  }

  #keep(lease: HeldLease): HeldLease {
    const { device } = lease.hold
    const ofDevice = this.#byDevice.get(device) ?? new Set<HeldLease>()
    this.#byDevice.set(device, ofDevice.add(lease))
    return lease
  }

  #released(lease: HeldLease, isSession: boolean): void {
    const { device } = lease.hold
    const ofDevice = this.#byDevice.get(device)
    if (ofDevice?.delete(lease) !== true || ofDevice.size > 0) return
    this.#byDevice.delete(device)
    if (isSession && !lease.signal.aborted) this.#parts.onLeft(device)
  }

  /** Told in the middle of the core's work: listeners of a signal may do anything, so they are told afterwards. */
  #noteChange(device: Device): void {
    if (!this.#byDevice.has(device)) return
    if (this.#changed.size === 0) queueMicrotask(() => this.#look())
    this.#changed.add(device)
  }

  #look(): void {
    const devices = [...this.#changed]
    this.#changed.clear()
    for (const device of devices) for (const lease of [...(this.#byDevice.get(device) ?? [])]) lease.look()
  }
}
