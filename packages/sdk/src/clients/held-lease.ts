import { setMaxListeners } from 'node:events'
import type { ReportTarget, ReportVerdict } from '../bans/report-target.ts'
import type { Device } from '../core/device.ts'
import type { LeaseHold } from '../core/lease-hold.ts'
import type { ReportResult } from '../dispatch/ban-reports.ts'
import { breachError } from '../dispatch/no-device-errors.ts'
import { MobilePoolError } from '../errors.ts'
import type { RotationResult } from '../events.ts'
import type { PoolAgents } from './agents/pool-agents.ts'
import type { Carrier } from './carrier.ts'
import type { Lease } from './lease.ts'
import type { ProxyForms } from './proxy-forms.ts'
import type { Scope } from './scope.ts'
import { ViewDispatcher } from './view-dispatcher.ts'

/** What leases need of the pool. */
export interface LeaseHost {
  readonly carrier: Carrier
  readonly rotate: (deviceId: string) => Promise<RotationResult>
  readonly report: (target: ReportTarget, verdict: ReportVerdict) => ReportResult
}

/** What a lease consists of. */
export interface LeaseMakings {
  readonly hold: LeaseHold
  /** The scope of its requests, which has the hold. */
  readonly scope: Scope
  /** Host name of the site that it is for; null: none. */
  readonly site: string | null
  /** Null: no proxy was asked for. `revoke` cuts what goes through it. */
  readonly proxy: { readonly forms: ProxyForms; readonly revoke: () => Promise<void> } | null
  readonly onRelease: (lease: HeldLease) => void
}

/** A lease while it is somebody's. */
export class HeldLease implements Lease {
  readonly hold: LeaseHold
  readonly dispatcher: ViewDispatcher
  readonly #host: LeaseHost
  readonly #makings: LeaseMakings
  readonly #over = new AbortController()

  constructor(host: LeaseHost, makings: LeaseMakings) {
    this.#host = host
    this.#makings = makings
    this.hold = makings.hold
    this.dispatcher = new ViewDispatcher(host.carrier, makings.scope)
    // As many requests as there are may listen to it.
    setMaxListeners(0, this.#over.signal)
  }

  get deviceId(): string {
    return this.#device.id
  }

  get device(): string {
    return this.#device.facts.name
  }

  get exitIp(): string | null {
    return this.hold.exitIp
  }

  get signal(): AbortSignal {
    return this.#over.signal
  }

  get proxyUrl(): string {
    return this.#proxy.proxyUrl
  }

  get playwright(): ProxyForms['playwright'] {
    return this.#proxy.playwright
  }

  get puppeteer(): ProxyForms['puppeteer'] {
    return this.#proxy.puppeteer
  }

  get fetch(): Lease['fetch'] {
    return this.dispatcher.fetch
  }

  get httpAgent(): PoolAgents['http'] {
    return this.dispatcher.httpAgent
  }

  get httpsAgent(): PoolAgents['https'] {
    return this.dispatcher.httpsAgent
  }

  async rotate(): Promise<RotationResult> {
    const { breach } = this.hold
    if (breach !== null) throw breachError(breach)
    this.hold.beginTurn()
    try {
      return await this.#host.rotate(this.deviceId)
    } finally {
      this.hold.endTurn()
      this.look()
    }
  }

  report(verdict: ReportVerdict): ReportResult {
    const { deviceId, exitIp } = this
    const { site } = this.#makings
    const target = { deviceId, ...(exitIp === null ? {} : { exitIp }) }
    return this.#host.report(target, site === null ? verdict : { site, ...verdict })
  }

  async release(): Promise<void> {
    this.hold.release()
    this.#makings.onRelease(this)
    const released = { kind: 'lease_released', device: this.#device } as const
    this.#host.carrier.engine.endSticky(this.hold, released)
    await this.end(breachError(released))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  /** Ends it when its device stands so that it is over. */
  look(): void {
    const { breach } = this.hold
    if (breach === null || this.signal.aborted) return
    this.#host.carrier.engine.endSticky(this.hold, breach)
    this.#over.abort(breachError(breach))
  }

  /** Tells whoever works with it that it is over, and closes what it has open. Requests of its dispatcher are not its own to end. */
  async end(reason: Error): Promise<void> {
    this.#over.abort(reason)
    this.dispatcher.destroyAgents()
    await this.#makings.proxy?.revoke()
  }

  get #device(): Device {
    return this.hold.device
  }

  get #proxy(): ProxyForms {
    const { proxy } = this.#makings
    if (proxy === null)
      throw new MobilePoolError('MP_OPTIONS', 'the lease has no proxy: it was taken with `proxy: false`', { phase: 'options' })
    return proxy.forms
  }
}
