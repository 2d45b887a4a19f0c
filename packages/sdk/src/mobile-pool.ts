import type { ReportTarget, ReportVerdict } from './bans/report-target.ts'
import type { Carrier } from './clients/carrier.ts'
import { ClientDispatcher } from './clients/client-dispatcher.ts'
import type { Lease } from './clients/lease.ts'
import type { LeaseOptions } from './clients/lease-options.ts'
import type { ListenOptions } from './clients/listen/listen-options.ts'
import type { LocalProxy } from './clients/listen/local-proxies.ts'
import { type Scope, scopeOf, WHOLE_POOL } from './clients/scope.ts'
import { SessionDispatcher } from './clients/session-dispatcher.ts'
import { ViewDispatcher } from './clients/view-dispatcher.ts'
import { parseView, type SessionOptions, type ViewOptions } from './clients/view-options.ts'
import type { ReportResult } from './dispatch/ban-reports.ts'
import { installGlobal } from './dispatch/install-global.ts'
import { closedError } from './dispatch/no-device-errors.ts'
import type { RotationResult } from './events.ts'
import { parseOptions } from './options/parse-options.ts'
import type { MobilePoolOptions } from './options/pool-options.ts'
import type { MobilePoolConstructor, MobilePool as MobilePoolType } from './pool-api.ts'
import { assemblePool, type PoolParts } from './pool-parts.ts'
import { parseRotateOptions, type RotateDeviceOptions } from './rotation/rotate-options.ts'
import { fleetStats, type PoolStats } from './stats.ts'
import { publishEvent } from './telemetry/channels.ts'
import { poolLog } from './telemetry/pool-log.ts'

/** How long `close()` waits for requests under way. */
const CLOSE_TIMEOUT_MS = 30_000

type Callback = (error: Error | null, data: null) => void

/** The pool as a dispatcher of undici: what faces callers. What it is made of is put together in pool-parts.ts. */
class PoolDispatcher extends ClientDispatcher {
  readonly #parts: PoolParts
  readonly #log: ReturnType<typeof poolLog> | null = null
  #closing: Promise<void> | null = null

  constructor(options: MobilePoolOptions) {
    super()
    const settings = parseOptions(options)
    if (settings.logger !== undefined) this.#log = poolLog(settings.logger, Date.now)
    this.#parts = assemblePool(settings, { pool: this, emit: (name, ...event) => this.#tell(name, event) })
    this.#parts.start()
  }

  protected get carrier(): Carrier {
    return this.#parts.carrier
  }

  protected get scope(): Scope {
    return WHOLE_POOL
  }

  with(options: ViewOptions): ViewDispatcher {
    return new ViewDispatcher(this.carrier, scopeOf(parseView(options)))
  }

  session(key: string, options: SessionOptions & Omit<ViewOptions, 'session'> = {}): SessionDispatcher {
    const { onIpChange, ttlMs, ...view } = options
    const session = Object.assign({ key }, onIpChange === undefined ? {} : { onIpChange }, ttlMs === undefined ? {} : { ttlMs })
    return new SessionDispatcher(this.carrier, scopeOf(parseView({ ...view, session })), key)
  }

  lease(options: LeaseOptions = {}): Promise<Lease> {
    return this.#parts.leases.take(options)
  }

  run<T>(view: ViewOptions, work: () => T): T {
    return this.carrier.run(scopeOf(parseView(view)), work)
  }

  listen(options?: ListenOptions): Promise<LocalProxy> {
    return this.#parts.localProxies.listen(options)
  }

  async rotate(idOrName: string, options: RotateDeviceOptions = {}): Promise<RotationResult> {
    const { trigger, unique } = parseRotateOptions(options)
    return this.#parts.rotations.rotate(idOrName, trigger, unique)
  }

  report(target: ReportTarget, verdict: ReportVerdict): ReportResult {
    return this.#parts.reports.report(target, verdict)
  }

  stats(): PoolStats {
    const { cache, core, engine, clock, roster, rotations, meters, usageStats, isSourceUp, isShared } = this.#parts
    const extras = {
      generationOf: (device: Parameters<typeof roster.transportOf>[0]) => roster.transportOf(device)?.generation ?? 0,
      rotationsOf: (device: Parameters<typeof rotations.tallyOf>[0]) => rotations.tallyOf(device),
      meterOf: (device: Parameters<typeof meters.readDevice>[0]) => meters.readDevice(device),
    }
    const devices = fleetStats(core.fleet, extras, clock.now())
    return {
      requests: { ...engine.counts, inFlight: engine.inFlight, queued: core.queued },
      cache: cache === null ? null : { ...cache.counts },
      isSourceUp: isSourceUp(),
      isShared: isShared(),
      ready: core.fleet.ready.length,
      rotations: { ...rotations.total },
      quarantines: devices.reduce((sum, { quarantines }) => sum + quarantines.length, 0),
      usage: usageStats(),
      ...meters.readPool(),
      devices,
    }
  }

  installGlobal(): Disposable {
    return installGlobal(this)
  }

  /** As `MobilePoolApi` says; also with undici's callback. */
  override close(options?: { timeoutMs?: number } | Callback): Promise<void> {
    const timeoutMs = typeof options === 'object' ? options.timeoutMs : undefined
    this.#closing ??= this.#parts.close(timeoutMs ?? CLOSE_TIMEOUT_MS)
    return finished(this.#closing, options)
  }

  /** As `MobilePoolApi` says; also with undici's callback. */
  override destroy(error?: Error | null | Callback, callback?: Callback): Promise<void> {
    const reason = error instanceof Error ? error : closedError()
    return finished(this.#parts.destroy(reason), typeof error === 'function' ? error : callback)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** A listener or logger that throws must not break the request in whose course it is called: its error surfaces as an uncaught one. */
  #tell(name: string, event: unknown[]): void {
    publishEvent(this, name, event[0])
    try {
      this.#log?.(name, event[0])
      this.emit(name, ...event)
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }
}

function finished(done: Promise<void>, callback: unknown): Promise<void> {
  if (typeof callback === 'function') void done.then(() => callback(null, null))
  return done
}

/** What `new MobilePool()` gives: a pool, and a dispatcher for `fetch`. */
export type MobilePool = MobilePoolType

/**
 * A pool of your own mobile devices, as a dispatcher: `fetch(url, { dispatcher: pool })`, `setGlobalDispatcher(pool)`,
 * `pool.fetch(url)`. Spreads requests, repeats failed ones on another device, remembers bans, rotates, never goes direct.
 */
export const MobilePool = PoolDispatcher as unknown as MobilePoolConstructor
