/// <reference path="./dispatch/undici-deep.d.ts" />
import api from 'undici/lib/api/index.js'
import { InvalidArgumentError } from 'undici/lib/core/errors.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'
import type { ReportTarget, ReportVerdict } from './bans/report-target.ts'
import type { PoolAgents } from './clients/agents/pool-agents.ts'
import type { RotationTrigger } from './contract/index.ts'
import { PLAIN_VIEW } from './core/view.ts'
import type { ReportResult } from './dispatch/ban-reports.ts'
import { composeOver, type Interceptor } from './dispatch/compose.ts'
import type { DispatchHandler, DispatchOptions, LegacyHandler } from './dispatch/handlers.ts'
import { installGlobal } from './dispatch/install-global.ts'
import { liftHandler } from './dispatch/lift-handler.ts'
import { closedError } from './dispatch/no-device-errors.ts'
import { MobilePoolError } from './errors.ts'
import type { RotationResult } from './events.ts'
import { parseOptions } from './options/parse-options.ts'
import type { MobilePoolOptions } from './options/pool-options.ts'
import type { MobilePoolConstructor, MobilePool as MobilePoolType } from './pool-api.ts'
import { assemblePool, type PoolParts } from './pool-parts.ts'
import { fleetStats, type PoolStats } from './stats.ts'
import { publishEvent } from './telemetry/channels.ts'
import { poolLog } from './telemetry/pool-log.ts'

/** How long `close()` waits for requests under way. */
const CLOSE_TIMEOUT_MS = 30_000

type Callback = (error: Error | null, data: null) => void

/** The pool as a dispatcher of undici: what faces callers. What it is made of is put together in pool-parts.ts. */
class PoolDispatcher extends Dispatcher {
  readonly fetch: typeof globalThis.fetch
  readonly #parts: PoolParts
  readonly #log: ReturnType<typeof poolLog> | null = null
  #agents: PoolAgents | null = null
  #closing: Promise<void> | null = null

  constructor(options: MobilePoolOptions) {
    super()
    this.setMaxListeners(0)
    const settings = parseOptions(options)
    if (settings.logger !== undefined) this.#log = poolLog(settings.logger, Date.now)
    this.#parts = assemblePool(settings, { pool: this, emit: (name, ...event) => this.#tell(name, event) })
    this.fetch = async (input, init) => {
      try {
        return await globalThis.fetch(input, withDispatcher(init, this))
      } catch (error) {
        throw error instanceof TypeError && error.cause instanceof MobilePoolError ? error.cause : error
      }
    }
    this.#parts.start()
  }

  get dispatcher(): this {
    return this
  }

  get httpAgent(): PoolAgents['http'] {
    this.#agents ??= this.#parts.createAgents(PLAIN_VIEW)
    return this.#agents.http
  }

  get httpsAgent(): PoolAgents['https'] {
    this.#agents ??= this.#parts.createAgents(PLAIN_VIEW)
    return this.#agents.https
  }

  override dispatch(options: DispatchOptions, handler: DispatchHandler | LegacyHandler): boolean {
    if (!isObject(handler)) throw new InvalidArgumentError('handler must be an object')
    if (!isObject(options)) throw new InvalidArgumentError('options must be an object')
    this.#parts.engine.dispatch(options, liftHandler(handler))
    // Never busy: what has no device yet waits in the pool's own queue.
    return true
  }

  override compose(...interceptors: (Interceptor | null | undefined | (Interceptor | null | undefined)[])[]): this {
    return composeOver(this, interceptors.flat())
  }

  rotate(idOrName: string, { trigger = 'forced' }: { trigger?: RotationTrigger } = {}): Promise<RotationResult> {
    return this.#parts.rotations.rotate(idOrName, trigger)
  }

  report(target: ReportTarget, verdict: ReportVerdict): ReportResult {
    return this.#parts.reports.report(target, verdict)
  }

  stats(): PoolStats {
    const { core, engine, clock, roster, rotations, meters, usageStats, isSourceUp } = this.#parts
    const extras = {
      generationOf: (device: Parameters<typeof roster.transportOf>[0]) => roster.transportOf(device)?.generation ?? 0,
      rotationsOf: (device: Parameters<typeof rotations.tallyOf>[0]) => rotations.tallyOf(device),
      meterOf: (device: Parameters<typeof meters.readDevice>[0]) => meters.readDevice(device),
    }
    const devices = fleetStats(core.fleet, extras, clock.now())
    return {
      requests: { ...engine.counts, inFlight: engine.inFlight, queued: core.queued },
      isSourceUp: isSourceUp(),
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

Object.assign(PoolDispatcher.prototype, api)

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

function finished(done: Promise<void>, callback: unknown): Promise<void> {
  if (typeof callback === 'function') void done.then(() => callback(null, null))
  return done
}

/** The global types know another undici's dispatchers than ours. */
const withDispatcher = (init: RequestInit | undefined, dispatcher: object): RequestInit => Object.assign({}, init, { dispatcher })

/** What `new MobilePool()` gives: a pool, and a dispatcher for `fetch`. */
export type MobilePool = MobilePoolType

/**
 * A pool of your own mobile devices, as a dispatcher: `fetch(url, { dispatcher: pool })`, `setGlobalDispatcher(pool)`,
 * `pool.fetch(url)`. Spreads requests, repeats failed ones on another device, remembers bans, rotates, never goes direct.
 */
export const MobilePool = PoolDispatcher as unknown as MobilePoolConstructor
