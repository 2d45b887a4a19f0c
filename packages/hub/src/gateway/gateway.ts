import { openPoolFront, type PoolFront } from '@mobilepool/sdk/gateway'
import { createProxyServer, createTargetPolicy, ProxyError, type ProxyServer, type ProxyTls } from '@mobilepool/sdk/proxy-server'
import type { Logger } from 'pino'
import type { AddressBlocks } from '../auth/address-blocks.ts'
import type { KeyRing } from '../auth/key-ring.ts'
import type { Quotas } from '../auth/quotas.ts'
import { portList } from '../config/gateway.ts'
import type { HubConfig } from '../config.ts'
import { HubError } from '../errors.ts'
import type { FleetEvent, FleetEvents } from '../fleet/events.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { Quarantines } from '../fleet/quarantines.ts'
import type { Rotations } from '../fleet/rotations/rotations.ts'
import type { GatewayCounts, GatewayMeters } from '../metrics/gateway-metrics.ts'
import type { TunnelRegistry } from '../tunnel/registry.ts'
import { banExchange, heardBans } from './ban-exchange.ts'
import { doorkeeper, type Visitor } from './doorkeeper.ts'
import { FleetSource } from './fleet-source.ts'
import { type Client, UsageBatches, type UsageBatchesParts } from './usage-batches.ts'
import { Wishes } from './wishes.ts'

/** The standard port of forward proxies, and what the specification names. */
const USUAL_PORT = 8080
/** The pool's own limits end every search for a device; this is behind them. */
const CONNECT_TIMEOUT_MS = 600_000
/** Of the gateway as a whole; a user's share is GATEWAY_CONCURRENCY. */
const MAX_CONNECTIONS = 65_536

export interface GatewayParts {
  fleet: Fleet
  events: FleetEvents
  rotations: Pick<Rotations, 'request'>
  tunnels: Pick<TunnelRegistry, 'connect'>
  quarantines: Pick<Quarantines, 'live' | 'report'>
  keys: KeyRing
  quotas: Quotas
  blocks: AddressBlocks
  storeUsage: UsageBatchesParts['store']
  meters: GatewayMeters
  /** Lets clients speak TLS as well; null: it does not. */
  tls: Pick<ProxyTls, 'cert' | 'key'> | null
  log: Logger
  now: () => number
  newId: () => string
}

/** The forward proxy in front of the fleet. */
export interface Gateway {
  readonly host: string
  readonly port: number
  /** What clients reach it by, without credentials. */
  readonly url: string
  counts(): GatewayCounts
  /** Devices with as many requests under way here as they may have; their ids. */
  busyDevices(): ReadonlySet<string>
  /** Cuts what a key or a user has under way that is good no more; his id. */
  endOf(id: string): void
  /** Takes another certificate for new connections. */
  renewCertificate(tls: Pick<ProxyTls, 'cert' | 'key'>): void
  /** Refuses what is new, waits for what is under way (GATEWAY_DRAIN), writes the last usage. */
  close(): Promise<void>
}

/**
 * Opens the gateway; null: there is none (`off`, or nobody asked for a port and the usual one is taken).
 * @throws HubError `port_in_use`, `address_unavailable`
 */
export async function openGateway(config: HubConfig, parts: GatewayParts): Promise<Gateway | null> {
  if (config.proxyPort === 'off') return null
  const { fleet, events, rotations, tunnels, quarantines, quotas, log, now } = parts
  const usage = new UsageBatches({ store: parts.storeUsage, newId: parts.newId, log })
  const source = new FleetSource({ fleet, events, now, rotate: (device, wish) => rotations.request(device, wish) })
  const front = openPoolFront(poolOptions(config), {
    source,
    dial: (deviceId, target, signal) => tunnels.connect(deviceId, target, signal),
    bans: banExchange(quarantines, now),
    onAdmitted: (waitedMs) => parts.meters.admitted(waitedMs),
    onAttempt: (record, owner) => {
      if (record.kind === 'device_connect') source.noteUndialable(record.deviceId)
      const client = owner as Client
      if (!client.reportsItself) usage.add(record, client)
    },
    onEvent: ({ name, data }) => {
      if (name === 'retry' && data.attempt.kind === 'device_connect') source.noteUndialable(data.attempt.deviceId)
      if (name === 'rotationError')
        log.debug({ device: data.device, err: data.error }, 'The gateway asked for a rotation that did not begin.')
    },
  })
  const hear = (event: FleetEvent): void => {
    if (event.type === 'quarantine') front.hearBans(heardBans(event, now()))
  }
  events.on('event', hear)
  const tally = new Tally()
  const wishes = new Wishes({ front, sessionMs: config.gatewaySessionMs, queueMs: config.gatewayQueueMs })
  const proxy = createProxyServer<Visitor>({
    authenticate: doorkeeper({ ...parts, config, wish: (choices, client) => wishes.of(choices, client) }),
    targets: createTargetPolicy({
      ports: config.gatewayPorts === null ? null : portList(config.gatewayPorts),
      allowPrivate: config.gatewayAllowPrivate,
    }),
    connect: (target, context) => {
      const { caller, wish } = certain(context.user)
      quotas.count(caller, 1)
      return front.connect(wish, target, context)
    },
    forward: (request, context) => {
      const { caller, wish } = certain(context.user)
      quotas.count(caller, 1)
      return front.forward(wish, request, context)
    },
    onClose: (exchange) => tally.add(exchange),
    limits: {
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      maxConnections: MAX_CONNECTIONS,
      maxConnectionsPerAddress: MAX_CONNECTIONS,
      maxPerUser: MAX_CONNECTIONS,
    },
    ...(parts.tls === null ? {} : { tls: parts.tls }),
  })
  const close = async (): Promise<void> => {
    events.off('event', hear)
    await proxy.close({ graceMs: config.gatewayDrainMs })
    await front.close(0)
    await usage.close()
  }

  try {
    const { host, port } = await listen(proxy, config)
    const shown = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
    const own = `http://${shown.includes(':') ? `[${shown}]` : shown}:${port}`
    return {
      host,
      port,
      url: config.gatewayPublicUrl?.replace(/\/$/, '') ?? own,
      counts: () => countsOf(proxy, front, tally, usage),
      busyDevices: () => front.busyDevices(),
      endOf: (id) =>
        void proxy.destroyConnections({
          of: (user) => user !== null && (user.caller.keyId === id || user.caller.userId === id),
          detail: 'The key is not valid any more.',
        }),
      renewCertificate: (tls) => proxy.renewCertificate(tls),
      close,
    }
  } catch (error) {
    await close()
    if (config.proxyPort !== 'auto' || !(error instanceof HubError) || error.code !== 'port_in_use') throw error
    log.warn(`No gateway: port ${USUAL_PORT} is taken. Choose another with PROXY_PORT, or say PROXY_PORT=off.`)
    return null
  }
}

const poolOptions = (config: HubConfig) => ({
  balancer: config.gatewayBalancer,
  perDevice: { concurrency: config.gatewayDeviceConcurrency },
  queue: { timeoutMs: config.gatewayQueueMs },
})

function certain(user: Visitor | null): Visitor {
  if (user === null) throw new ProxyError('auth_required', 'This proxy needs a key.')
  return user
}

/** @throws HubError `port_in_use`, `address_unavailable` */
async function listen(proxy: ProxyServer<Visitor>, config: HubConfig): Promise<{ host: string; port: number }> {
  const host = config.proxyHost ?? config.host
  const port = typeof config.proxyPort === 'number' ? config.proxyPort : config.port === 0 ? 0 : USUAL_PORT
  try {
    return await proxy.listen(port, host)
  } catch (cause) {
    const { code = String(cause) } = ((cause as Error).cause ?? {}) as { code?: string }
    throw code === 'EADDRINUSE'
      ? new HubError('port_in_use', `Port ${port} of ${host} is taken: stop the program that has it, or choose another with PROXY_PORT.`, {
          cause,
        })
      : new HubError(
          'address_unavailable',
          `The gateway cannot listen on ${host} port ${port} (${code}): choose another PROXY_HOST or PROXY_PORT.`,
          {
            cause,
          },
        )
  }
}

/** What is over, counted. */
class Tally {
  readonly over = new Map<string, number>()
  bytesUp = 0
  bytesDown = 0

  add({
    kind,
    failure,
    status,
    bytesUp,
    bytesDown,
  }: Parameters<NonNullable<Parameters<typeof createProxyServer<Visitor>>[0]['onClose']>>[0]): void {
    const outcome = failure?.code ?? (status === null ? 'client_gone' : 'ok')
    const key = `${kind} ${outcome}`
    this.over.set(key, (this.over.get(key) ?? 0) + 1)
    this.bytesUp += bytesUp
    this.bytesDown += bytesDown
  }
}

function countsOf(proxy: ProxyServer<Visitor>, front: PoolFront, tally: Tally, usage: UsageBatches): GatewayCounts {
  const { queued, sessions } = front.load()
  const open = proxy.exchanges()
  const sum = (pick: (exchange: (typeof open)[number]) => number): number => open.reduce((total, exchange) => total + pick(exchange), 0)
  return {
    connections: proxy.counters().openConnections,
    tunnels: open.filter(({ kind }) => kind !== 'request').length,
    requests: open.filter(({ kind }) => kind === 'request').length,
    queued,
    sessions,
    bytesUp: tally.bytesUp + sum(({ bytesUp }) => bytesUp),
    bytesDown: tally.bytesDown + sum(({ bytesDown }) => bytesDown),
    over: tally.over,
    usageDropped: usage.dropped,
  }
}
