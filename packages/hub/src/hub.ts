import { randomUUID } from 'node:crypto'
import { Server as TlsServer } from 'node:https'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { environmentChannels } from './alerts/environment.ts'
import { RuleBook } from './alerts/rule-book.ts'
import { startAlerting } from './alerts/start.ts'
import { EventFeed } from './api/event-feed.ts'
import { pageFolder } from './api/page.ts'
import { buildApi } from './api/server.ts'
import { readTls, type TlsContext, tlsFiles, watchTls } from './api/tls.ts'
import { loadAccounts } from './auth/accounts.ts'
import { Attempts } from './auth/attempts.ts'
import { Enrolment } from './auth/enrolment.ts'
import { firstAdminKey, requireAdmin } from './auth/first-key.ts'
import { pruneAccounts } from './auth/prune.ts'
import { startUpkeep } from './auth/upkeep.ts'
import { Settings } from './config/settings.ts'
import { completeConfig, type HubConfig, type HubOptions, hubOptions } from './config.ts'
import { HubError } from './errors.ts'
import { startClockwork } from './fleet/clockwork.ts'
import { FleetEvents } from './fleet/events.ts'
import { Fleet } from './fleet/fleet.ts'
import { IpRecall } from './fleet/ip-recall.ts'
import { pruneIpHistory } from './fleet/prune-ip-history.ts'
import { Quarantines } from './fleet/quarantines.ts'
import { IntervalRotations } from './fleet/rotations/interval-rotations.ts'
import { RotationLinks } from './fleet/rotations/links.ts'
import { openRotations } from './fleet/rotations/open-rotations.ts'
import { Tallies } from './fleet/tallies.ts'
import { TelemetryKeeper } from './fleet/telemetry-keeper.ts'
import { Vigilance } from './fleet/vigilance.ts'
import { type Gateway, openGateway } from './gateway/gateway.ts'
import { storeUsage } from './gateway/store-usage.ts'
import { createLog } from './log.ts'
import { Metrics } from './metrics/metrics.ts'
import { createDialer } from './outbound/dialer.ts'
import { createSender } from './outbound/sender.ts'
import { startPruning } from './stats/pruning.ts'
import { Statistics } from './stats/statistics.ts'
import { openStore } from './store/index.ts'
import { openTunnels } from './tunnel/open-tunnels.ts'
import type { TunnelRegistry } from './tunnel/registry.ts'
import { version } from './version.ts'

/**
 * Connections that may wait to be taken (the kernel's net.core.somaxconn may say less): crontabs all beat at second :00, and beyond
 * Node's 511 a handshake is dropped and repeated a second later.
 */
const BACKLOG = 4_096
/** Requests under way at a stop may take this long to end. */
const CLOSE_TIMEOUT_MS = 3_000

/** A running hub. */
export interface Hub {
  /** Where it can be reached from this machine, e.g. `http://127.0.0.1:3001`. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** What clients reach the gateway by, e.g. `http://127.0.0.1:8080`; null: there is none. */
  readonly gatewayUrl: string | null
  /** The admin key that this start made because there was none; shown nowhere else. */
  readonly adminKey: string | null
  /** The tunnels that agents have dialled to it. */
  readonly tunnels: Pick<TunnelRegistry, 'connect' | 'has' | 'status' | 'counts'>
  /** Ends streams and polls, finishes what was begun, writes what waits, closes the database. */
  close(): Promise<void>
}

/** What an embedding program may put in the place of the hub's own. */
export interface HubParts {
  log?: Logger
  /** Where each of the options comes from, for those who look at the settings. */
  sources?: ReadonlyMap<keyof HubOptions, 'flag' | 'environment'>
}

/**
 * Starts a hub.
 * @throws HubError with a `StartCode` and a sentence that says what to do; nothing is left open then
 */
export async function createHub(options: HubOptions = {}, parts: HubParts = {}): Promise<Hub> {
  const given = configOf(options)
  const tls = tlsFiles(given)
  const log = parts.log ?? createLog(given.logLevel)
  const now = Date.now
  const newId = randomUUID
  const closing: (() => unknown)[] = []
  const close = async (): Promise<void> => {
    const step = closing.pop()
    if (!step) return
    try {
      await step()
    } finally {
      await close()
    }
  }

  try {
    const certificate = tls && (await readTls(tls))
    log.debug({ database: given.databaseUrl === null ? `embedded, in ${given.dataDir}` : 'Postgres' }, 'opening the database')
    const store = await openStore(given)
    closing.push(() => store.close())
    const settings = await Settings.load({ store: store.settings, options, sources: parts.sources ?? new Map(), log })
    const { config } = settings
    if (parts.log === undefined) log.level = config.logLevel

    const attempts = new Attempts(now)
    const events = new FleetEvents()
    const accounts = await loadAccounts(config, { store, attempts, events, log, now, newId })
    closing.push(() => accounts.audit.close())
    await requireAdmin(accounts, config)

    const rules = await RuleBook.load({
      store: store.alertSettings,
      deliveries: store.alertDeliveries,
      silentAfterMs: config.deviceSilentAfterMs,
    })
    const fleet = await Fleet.load(fleetOptions(config, rules), { store, events, log, now, newId })
    closing.push(() => fleet.close())
    const send = createSender({ allowsPrivate: config.outboundPrivate, userAgent: `MobilePool/${version}` })
    let ownUrl: string | null = null
    const rotations = await openRotations(config, {
      fleet,
      store,
      events,
      log,
      now,
      newId,
      send,
      ownUrl: () => ownUrl,
      dial: (deviceId, target, signal) => tunnels.connect(deviceId, target, signal),
    })
    const links = new RotationLinks({ store, key: store.derive('mobilepool rotation links'), now, newId })
    const intervals = new IntervalRotations({
      fleet,
      request: (devices, wish) => rotations.requestAll(devices, wish),
      log,
      now,
      random: Math.random,
      startGraceMs: config.rotationStartGraceMs,
    })
    const enrolment = new Enrolment({
      fleet,
      keys: accounts.keys,
      store: store.enrolment,
      attempts,
      now,
      newId,
      newDevice: newDeviceOf(config),
    })

    const quarantines = await Quarantines.load({ store, events, now })
    const statistics = await Statistics.load({ store, fleet, events, config, dataPlanPercent: () => rules.of('data_cap').threshold, now })
    closing.push(() => statistics.close())
    const alerting = await startAlerting({
      store,
      fleet,
      events,
      rules,
      send,
      dial: createDialer({ allowsPrivate: config.outboundPrivate }),
      environment: environmentChannels(config),
      isShared: config.databaseUrl !== null,
      rates: (windowSeconds) => statistics.rates(windowSeconds),
      isUsedUp: (of, id) => accounts.quotas.isUsedUp(of, id),
      dataPlans: { all: () => statistics.dataPlans(), of: (id) => statistics.dataPlan(id) },
      log,
      now,
      newId,
    })
    closing.push(() => alerting.close())
    const flappingSince = (id: string) => alerting.alerts.find('flapping', id)?.startedAt ?? null
    const vigilance = new Vigilance({ fleet, store, settings: () => rules.vigil, flappingSince, log })
    const recall = await IpRecall.load({ fleet, store, events, log })
    const tallies = new Tallies({ fleet, store, events, log, now })
    const telemetry = new TelemetryKeeper({ store, events, log, now })
    const feed = new EventFeed(fleet, events, now)
    const tunnels: TunnelRegistry = openTunnels(config, { fleet, rotations, events, log, now })
    let gateway: Gateway | null = null
    const endAccess = (id: string): void => {
      feed.endOf(id)
      tunnels.endOf(id)
      gateway?.endOf(id)
    }
    const metrics = new Metrics({
      fleet,
      events,
      streams: () => feed.size,
      tunnels,
      gateway: () => gateway?.counts() ?? null,
      maxDevices: config.metricsMaxDevices,
    })
    closing.push(() => metrics.close())
    const context = {
      config,
      settings,
      log,
      now,
      newId,
      random: Math.random,
      store,
      ...accounts,
      fleet,
      rotations,
      tunnels,
      links,
      enrolment,
      quarantines,
      alerting,
      tallies,
      statistics,
      feed,
      endAccess,
      metrics,
    }
    const app = await buildApi(context, { version, pageFolder: pageFolder(), certificate })
    closing.push(() => closeServer(app))
    closing.push(() => Promise.all([feed.close(), rotations.close(), tunnels.close()]))
    const renewCertificate = (renewed: TlsContext): void => {
      ;(app.server as TlsServer).setSecureContext(renewed)
      gateway?.renewCertificate(renewed)
    }
    if (tls) closing.push(watchTls(tls, { take: renewCertificate, log }))
    const url = await listen(app, config)
    ownUrl = url

    const adminKey = await firstAdminKey(accounts)
    closing.push(() => Promise.all([vigilance, recall, tallies, telemetry].map((part) => part.close())))
    closing.push(
      startClockwork({ fleet, rotations, intervals, quarantines, vigilance, recall, tallies, telemetry, pulse: store.pulse, log, now }),
    )
    closing.push(
      startUpkeep({
        ...accounts,
        credentials: store.credentials,
        isShared: config.databaseUrl !== null,
        endOf: endAccess,
        log,
      }),
    )
    const { auditRetentionDays } = config
    const others = [
      () => pruneIpHistory(store, config, now()),
      () => pruneAccounts({ ...store, blocks: accounts.blocks, auditRetentionDays, now: now() }),
    ]
    closing.push(startPruning({ store, statistics, others, log, now }))
    gateway = await openGateway(config, {
      ...accounts,
      fleet,
      events,
      rotations,
      tunnels,
      quarantines,
      storeUsage: storeUsage({ statistics, tallies, metrics }),
      meters: metrics.gateway,
      tls: certificate,
      log,
      now,
      newId,
    })
    if (gateway) fleet.gatewayOpened(gateway.url, () => gateway.busyDevices())
    closing.push(() => gateway?.close())
    return { url, host: config.host, port: Number(new URL(url).port), gatewayUrl: gateway?.url ?? null, adminKey, tunnels, close }
  } catch (error) {
    await close()
    throw error
  }
}

function configOf(options: HubOptions): HubConfig {
  const parsed = hubOptions.safeParse(options)
  if (parsed.success) return completeConfig(parsed.data)
  const problems = parsed.error.issues.map(({ path, message }) => `  ${path.join('.') || 'options'}: ${message}`)
  throw new HubError('config_invalid', `The options are not valid:\n${problems.join('\n')}`)
}

const fleetOptions = (config: HubConfig, rules: RuleBook) => ({
  maxDevices: config.maxDevices,
  newNamesPerMinute: config.newNamesPerMinute,
  timeouts: { agentMs: config.agentTimeoutMs, bareMs: config.bareTimeoutMs },
  newDevice: newDeviceOf(config),
  vigil: () => rules.vigil,
})

const newDeviceOf = (config: HubConfig) => ({
  rotationInterval: config.defaultRotationInterval,
  requestsPerMinute: config.maxRequestsPerMinute,
})

async function listen(app: FastifyInstance, { host, port }: HubConfig): Promise<string> {
  try {
    await app.listen({ host, port, backlog: BACKLOG })
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'EADDRINUSE')
      throw new HubError('port_in_use', `Port ${port} of ${host} is taken: stop the program that has it, or choose another with --port.`, {
        cause,
      })
    throw new HubError(
      'address_unavailable',
      `The hub cannot listen on ${host} port ${port} (${code ?? String(cause)}): choose another --host or --port.`,
      {
        cause,
      },
    )
  }
  const address = app.server.address()
  const actualPort = address !== null && typeof address === 'object' ? address.port : port
  const reachable = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host
  return `${app.server instanceof TlsServer ? 'https' : 'http'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${actualPort}`
}

/** Lets requests under way end, then ends what is left. */
async function closeServer(app: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), CLOSE_TIMEOUT_MS)
  await app.close()
  clearTimeout(timer)
}
