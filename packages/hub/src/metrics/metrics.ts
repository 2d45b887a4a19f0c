import { isFinal } from '@mobilepool/sdk/contract'
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import type { Device } from '../fleet/device.ts'
import type { FleetEvent, FleetEvents } from '../fleet/events.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { UsageEntry } from '../store/index.ts'
import type { TunnelRegistry } from '../tunnel/registry.ts'
import { DeviceLabels } from './device-labels.ts'
import { DeviceTallies } from './device-tallies.ts'
import { registerFleetMetrics } from './fleet-metrics.ts'
import { type GatewayCounts, type GatewayMeters, registerGatewayMetrics } from './gateway-metrics.ts'
import { registerTunnelMetrics } from './tunnel-metrics.ts'

/** Seconds. Mobile networks answer in tenths of a second to some seconds; the specification's client time-out is 30 s. */
const REQUEST_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30]
/** Seconds. A data toggle takes about 5 s, a modem's reboot up to a minute, and rotations may wait for their turn. */
const ROTATION_BUCKETS = [2, 5, 10, 20, 30, 60, 120, 300, 600]
/** Seconds. The hub answers from memory or after one group commit. */
const API_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]

/** What the metrics look at when they are asked for. */
export interface MetricsParts {
  fleet: Pick<Fleet, 'devices' | 'find' | 'status' | 'waiting'>
  events: FleetEvents
  /** Event streams that are open. */
  streams: () => number
  /** Null: there is no gateway. */
  gateway: () => GatewayCounts | null
  tunnels: Pick<TunnelRegistry, 'counts' | 'totals'>
  /** Devices with series of their own; the rest is counted together as `other`. */
  maxDevices: number
}

/**
 * The hub's Prometheus metrics: the specification's five under its own names, the rest as `mobilepool_*`, and Node's own.
 * Counters begin at zero with the process. Reads memory only, so that it answers while the database is away.
 */
export class Metrics {
  /** What the gateway tells of itself when it happens. */
  readonly gateway: GatewayMeters
  readonly #parts: MetricsParts
  readonly #registry = new Registry()
  readonly #requests = new DeviceTallies()
  readonly #rotations = new DeviceTallies()
  readonly #requestSeconds: Histogram
  readonly #rotationSeconds: Histogram<'outcome'>
  readonly #apiSeconds: Histogram<'route' | 'method' | 'status'>
  /** Its series, by route, method and class of status: finding one by its labels costs more than counting. As many as there are routes. */
  readonly #apiSeries = new Map<string, ReturnType<Histogram<'route' | 'method' | 'status'>['labels']>>()
  readonly #heartbeats: Counter
  readonly #outcomes: Counter<'outcome'>
  readonly #ipChanges: Counter
  readonly #stop: () => void
  /** The fleet and its labels at the scrape that is being answered. */
  #devices: readonly Device[] = []
  #labels = new DeviceLabels([], 0)

  constructor(parts: MetricsParts) {
    this.#parts = parts
    const registers = [this.#registry]
    collectDefaultMetrics({ register: this.#registry })
    registerFleetMetrics(this.#registry, {
      fleet: parts.fleet,
      devices: () => this.#devices,
      streams: parts.streams,
      labels: () => this.#labels,
      requests: this.#requests,
      rotations: this.#rotations,
    })
    this.gateway = registerGatewayMetrics(this.#registry, parts.gateway)
    registerTunnelMetrics(this.#registry, parts.tunnels)
    this.#requestSeconds = new Histogram({
      name: 'request_duration_seconds',
      help: 'From the start of an attempt through a device to the head of its response, or to its failure, as pools report it',
      buckets: REQUEST_BUCKETS,
      registers,
    })
    this.#rotationSeconds = new Histogram({
      name: 'mobilepool_rotation_duration_seconds',
      help: 'From asking for a rotation to its end, waiting for its turn included',
      labelNames: ['outcome'],
      buckets: ROTATION_BUCKETS,
      registers,
    })
    this.#apiSeconds = new Histogram({
      name: 'mobilepool_hub_request_duration_seconds',
      help: 'Time to answer a request to the hub; streams and long polls are left out',
      labelNames: ['route', 'method', 'status'],
      buckets: API_BUCKETS,
      registers,
    })
    this.#heartbeats = new Counter({ name: 'mobilepool_heartbeats_total', help: 'Heartbeats taken', registers })
    this.#outcomes = new Counter({
      name: 'mobilepool_request_outcomes_total',
      help: 'Attempts of requests by what they came to: answered, banned or failed',
      labelNames: ['outcome'],
      registers,
    })
    this.#ipChanges = new Counter({ name: 'mobilepool_ip_changes_total', help: 'Changes of exit IPs, asked for or not', registers })
    const take = (event: FleetEvent): void => this.#take(event)
    parts.events.on('event', take)
    this.#stop = () => parts.events.off('event', take)
  }

  /** `Content-Type` of `text()`. */
  get contentType(): string {
    return this.#registry.contentType
  }

  /** Everything, in Prometheus' text format. */
  text(): Promise<string> {
    this.#devices = this.#parts.fleet.devices
    this.#labels = new DeviceLabels(this.#devices, this.#parts.maxDevices)
    return this.#registry.metrics()
  }

  /** A heartbeat was taken. */
  countHeartbeat(): void {
    this.#heartbeats.inc()
  }

  /** The hub has answered. `route` is the route's pattern, never the path as it was sent. */
  observeAnswer({ route, method, status, ms }: { route: string; method: string; status: number; ms: number }): void {
    const code = statusClass(status)
    const key = `${method} ${code} ${route}`
    let series = this.#apiSeries.get(key)
    if (!series) {
      series = this.#apiSeconds.labels({ route, method, status: code })
      this.#apiSeries.set(key, series)
    }
    series.observe(ms / 1000)
  }

  /** A batch of usage was stored; what names no device of the fleet is left out. */
  observeUsage(entries: readonly Pick<UsageEntry, 'deviceId' | 'status' | 'outcome' | 'durationMs'>[]): void {
    for (const { deviceId, status, outcome, durationMs } of entries) {
      if (!this.#parts.fleet.find(deviceId)) continue
      this.#requestSeconds.observe(durationMs / 1000)
      this.#requests.add(deviceId, status === null ? 'none' : statusClass(status))
      this.#outcomes.inc({ outcome: outcome === 'answered' || outcome === 'banned' ? outcome : 'failed' })
    }
  }

  close(): void {
    this.#stop()
    this.#registry.clear()
  }

  #take(event: FleetEvent): void {
    if (event.type === 'ip_changed') this.#ipChanges.inc()
    else if (event.type === 'device_removed') {
      this.#requests.forget(event.id)
      this.#rotations.forget(event.id)
    } else if (event.type === 'rotation' && isFinal(event.rotation.state)) {
      const { deviceId, method, requestedMethod, state, createdAt, endedAt } = event.rotation
      this.#rotations.add(deviceId, `${method ?? requestedMethod ?? 'unknown'} ${state}`)
      this.#rotationSeconds.observe({ outcome: state }, Math.max(0, (endedAt ?? createdAt) - createdAt) / 1000)
    }
  }
}

/** `2xx` and so on: a label of few values. */
const statusClass = (status: number): string => `${Math.floor(status / 100)}xx`
