import { ResponseCache } from './cache/response-cache.ts'
import { Carrier } from './clients/carrier.ts'
import { Leases } from './clients/leases.ts'
import { LocalProxies } from './clients/listen/local-proxies.ts'
import { type Clock, systemClock } from './clock.ts'
import { createBalancer } from './core/balancers/create-balancer.ts'
import type { Device } from './core/device.ts'
import { PoolCore } from './core/pool-core.ts'
import { RetryBudget } from './core/retry-budget.ts'
import { createSiteLookup } from './core/site.ts'
import { BanReports } from './dispatch/ban-reports.ts'
import type { Dial } from './dispatch/connect-device.ts'
import { ConnectTimes } from './dispatch/connect-times.ts'
import { DispatchEngine } from './dispatch/dispatch-engine.ts'
import type { Errand } from './dispatch/errand.ts'
import { closedError } from './dispatch/no-device-errors.ts'
import type { Emit } from './events.ts'
import { agentSettings, coreSettings, engineSettings, transportSettings, triggerSettings } from './options/part-settings.ts'
import type { PoolSettings } from './options/schema.ts'
import { Drains } from './rotation/drains.ts'
import { Rotations } from './rotation/rotations.ts'
import { Triggers } from './rotation/triggers.ts'
import { shareByRedis } from './shared/share-by-redis.ts'
import type { DeviceSource } from './sources/device-source.ts'
import { linkHub } from './sources/hub/hub-link.ts'
import type { UsageStats } from './sources/hub/usage-reports.ts'
import { openSource } from './sources/open-source.ts'
import { Roster } from './sources/roster.ts'
import { SourceFeed } from './sources/source-feed.ts'
import type { AttemptRecord } from './telemetry/channels.ts'
import { Meters } from './telemetry/meters.ts'
import { RequestWatch } from './telemetry/request-watch.ts'

/** What a pool is made of. */
export interface PoolParts {
  readonly clock: Clock
  readonly core: PoolCore<Errand>
  readonly engine: DispatchEngine
  readonly carrier: Carrier
  /** Null: nothing is cached. */
  readonly cache: ResponseCache | null
  readonly leases: Leases
  readonly localProxies: LocalProxies
  readonly roster: Roster<Errand>
  readonly rotations: Rotations
  readonly reports: BanReports
  readonly meters: Meters
  readonly usageStats: () => UsageStats | null
  readonly isSourceUp: () => boolean
  /** Null: limits are not to be shared. */
  readonly isShared: () => boolean | null
  start(): void
  /** Lets requests under way finish, at most for so long, then ends the rest. */
  close(timeoutMs: number): Promise<void>
  destroy(error: Error): Promise<void>
}

/** What an embedding program puts in the place of the pool's own. */
export interface Supply {
  /** Where devices come from, in the place of the options' `hub` or `devices`. */
  readonly source: DeviceSource
  /** How devices are reached whose proxy URL is `TUNNEL_URL`. */
  readonly dial: Dial
  /** Takes every attempt, and whom its request was for. @default nobody */
  readonly onAttempt?: (record: AttemptRecord, owner: unknown) => void
  /** Told with each attempt how long it waited for its device, ms; 0: not at all. @default nobody */
  readonly onAdmitted?: (waitedMs: number) => void
}

/** How long `close()` tries to deliver the last reports of usage, ms. */
const REPORT_MS = 3_000

/** Puts a pool together. Nothing runs before `start`. `pool` is what listeners of the whole process know it by. */
export function assemblePool(
  settings: PoolSettings,
  { pool, emit, supply = null }: { readonly pool: object; readonly emit: Emit; readonly supply?: Supply | null },
  clock: Clock = systemClock,
  random: () => number = Math.random,
): PoolParts {
  const core = new PoolCore<Errand>(
    coreSettings(settings),
    createBalancer(settings.balancer, random, (error) => emit('balancerError', { error })),
  )
  const connectTimes = new ConnectTimes(settings.timeouts.connectMs)
  const transportOf = (device: Device) => roster.transportOf(device)
  const noteBan = (device: Device, site: string, request: object, strikes: number): void => {
    triggers.noteBan(device, site, request, strikes)
    core.onChange(device)
  }

  const roster = new Roster<Errand>({
    core,
    clock,
    emit,
    filter: settings.filter,
    transport: { ...transportSettings(settings), dial: supply?.dial, onConnected: (kind, afterMs) => connectTimes.note(kind, afterMs) },
    graceMs: settings.rotate.drainMs,
    onAdded: (device) => triggers.deviceAdded(device),
    onRemoved: (device) => triggers.deviceRemoved(device),
  })

  const sharing =
    settings.redis === undefined
      ? null
      : shareByRedis(settings.redis, { clock, emit, quarantine: core.quarantine, onLearnt: () => onLearnt() })
  const engine: DispatchEngine = new DispatchEngine(engineSettings(settings), {
    clock,
    core,
    budget: new RetryBudget(settings.retry === false ? 0 : settings.retry.budget),
    connectTimes,
    siteOf: createSiteLookup(),
    transportOf,
    emit,
    onBan: noteBan,
    onOver: (run, outcome) => watch.requestOver(run, outcome),
    helpStarved: (site) => triggers.helpStarved(site),
    sourceTrouble: () => feed.trouble,
    onAdmitted: supply?.onAdmitted,
    shared: sharing?.limits ?? null,
  })

  const cache = settings.cache === false ? null : new ResponseCache(settings.cache, () => clock.now())
  const reports = new BanReports({
    now: () => clock.now(),
    answers: engine.answers,
    quarantine: core.quarantine,
    find: (idOrName) => roster.find(idOrName),
    siteOf: (hostname) => engine.siteOf(hostname),
    emit,
    onBan: noteBan,
    onAnswerBanned: (order) => cache?.forget(order),
    onChange: () => engine.fleetChanged(),
  })
  const carrier = new Carrier({
    engine,
    core,
    clock,
    cache,
    agents: agentSettings(settings),
    onSessionEnd: (device, rotatesAfter) => triggers.noteSessionEnd(device, rotatesAfter),
    onSessionOver: (session) => sharing?.limits.endSession(session),
  })
  const localProxies = new LocalProxies(carrier)

  const onLearnt = (): void => {
    engine.fleetChanged()
    leases.noteBans()
  }
  const hub =
    settings.hub === undefined
      ? null
      : linkHub(
          { hub: settings.hub, ban: settings.ban, usage: settings.usage },
          { clock, random, emit, quarantine: core.quarantine, onLearnt },
        )

  const isByGateway = (deviceId: string): boolean => {
    const device = roster.find(deviceId)
    return device !== undefined && roster.recordOf(device)?.isByGateway === true
  }
  const meters = new Meters()
  const watch = new RequestWatch({
    clock,
    meters,
    pool,
    onReached: ({ device, exit }) => triggers.noteRequest(device, exit),
    onAttempt:
      supply?.onAttempt ?? (hub?.usage ? (record, _owner, path) => hub.usage?.add(record, path, isByGateway(record.deviceId)) : null),
  })

  const drains = new Drains({
    clock,
    emit,
    transportOf,
    setRotating: (device, rotating) => {
      core.setRotating(device, rotating)
      engine.fleetChanged()
    },
    graceMs: settings.rotate.drainMs,
  })

  const setExitIp = (device: Device, exitIp: string | null): void =>
    exitIp === null ? core.setExitIp(device, null, clock.now()) : roster.setExitIp(device.id, exitIp)

  const rotations = new Rotations({
    find: (idOrName) => roster.find(idOrName),
    turn: (id, trigger, unique) => source.rotate(id, trigger, unique),
    drains,
    emit,
    setExitIp,
    vouchFor: (device) => engine.publish(core.judge.vouchFor(device)),
    onEnd: (device) => triggers.noteRotation(device),
  })

  const triggers: Triggers = new Triggers(triggerSettings(settings), {
    clock,
    random,
    emit,
    devices: () => core.fleet.all(),
    readyCount: () => core.fleet.ready.length,
    rotate: (id, trigger) => rotations.rotate(id, trigger),
    onSettled: () => engine.fleetChanged(),
  })

  const source =
    supply?.source ??
    openSource(settings, {
      hub,
      clock,
      random,
      drains,
      setExitIp,
      find: (id) => roster.find(id),
      transportOf,
      onEnd: (result) => rotations.noteEnd(result),
    })
  const feed: SourceFeed = new SourceFeed({ core, engine, roster, drains, rotations, emit })

  const leases: Leases = new Leases({
    carrier,
    localProxies,
    proxyUrlOf: (device) => roster.recordOf(device)?.proxyUrl ?? undefined,
    rotate: (deviceId) => rotations.rotate(deviceId, 'forced'),
    report: (target, verdict) => reports.report(target, verdict),
    onLeft: (device) => triggers.noteSessionEnd(device),
  })

  const stop = async (error: Error, reportMs: number): Promise<void> => {
    leases.close(error)
    carrier.close()
    triggers.close()
    engine.destroy(error)
    await localProxies.close()
    await hub?.usage?.close(reportMs)
    await hub?.bans?.close()
    await sharing?.close()
    await source.close()
    drains.close()
    await roster.destroy(error)
  }

  return {
    clock,
    core,
    engine,
    carrier,
    cache,
    leases,
    localProxies,
    roster,
    rotations,
    reports,
    meters,
    usageStats: () => hub?.usage?.stats ?? null,
    isSourceUp: () => feed.isUp,
    isShared: () => sharing?.limits.isUp ?? null,
    start() {
      core.setMayGrow(source.mayGrow)
      sharing?.start()
      source.start(feed)
    },
    async close(timeoutMs) {
      triggers.close()
      leases.close(closedError())
      await Promise.all([engine.close(timeoutMs), localProxies.drain(timeoutMs)])
      await stop(closedError(), REPORT_MS)
    },
    destroy: (error) => stop(error, 0),
  }
}
