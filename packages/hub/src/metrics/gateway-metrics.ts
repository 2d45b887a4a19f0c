import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** What the gateway has done since its start, and does now. */
export interface GatewayCounts {
  readonly connections: number
  readonly requests: number
  readonly tunnels: number
  readonly queued: number
  readonly sessions: number
  readonly bytesUp: number
  readonly bytesDown: number
  /** Requests, upgrades and tunnels that are over, by `kind outcome`. */
  readonly over: ReadonlyMap<string, number>
  /** Records of usage that were lost. */
  readonly usageDropped: number
}

/** From a device that is free at once to the longest that GATEWAY_QUEUE lets somebody wait by default, s. */
const WAIT_BUCKETS = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** What tells the gateway's metrics of something at the moment when it happens. */
export interface GatewayMeters {
  /** A request or tunnel has its device, after so many ms. */
  admitted(waitedMs: number): void
}

/** Registers the gateway's metrics, read when they are asked for. `counts` gives null while there is no gateway: then they have no values. */
export function registerGatewayMetrics(registry: Registry, counts: () => GatewayCounts | null): GatewayMeters {
  const registers = [registry]
  const gauge = (name: string, help: string, read: (counts: GatewayCounts) => number): void => {
    new Gauge({
      name: `mobilepool_gateway_${name}`,
      help,
      registers,
      collect() {
        const now = counts()
        if (now) this.set(read(now))
        else this.reset()
      },
    })
  }
  gauge('connections', 'Connections of clients that are open', ({ connections }) => connections)
  gauge('tunnels_open', 'Tunnels and upgraded connections that are open', ({ tunnels }) => tunnels)
  gauge('requests_in_flight', 'Plain requests under way', ({ requests }) => requests)
  gauge('requests_queued', 'Requests and tunnels that wait for a device', ({ queued }) => queued)
  gauge('sessions', 'Sticky sessions', ({ sessions }) => sessions)
  new Counter({
    name: 'mobilepool_gateway_exchanges_total',
    help: 'Requests, upgrades and tunnels that are over, by what they came to: ok, or the code of X-MobilePool-Error',
    labelNames: ['kind', 'outcome'],
    registers,
    collect() {
      this.reset()
      for (const [key, count] of counts()?.over ?? []) {
        const [kind = '', outcome = ''] = key.split(' ')
        this.inc({ kind, outcome }, count)
      }
    },
  })
  new Counter({
    name: 'mobilepool_gateway_bytes_total',
    help: 'Bytes of bodies and tunnels, as clients sent (up) and got (down) them',
    labelNames: ['direction'],
    registers,
    collect() {
      this.reset()
      const now = counts()
      if (!now) return
      this.inc({ direction: 'up' }, now.bytesUp)
      this.inc({ direction: 'down' }, now.bytesDown)
    },
  })
  new Counter({
    name: 'mobilepool_gateway_usage_dropped_total',
    help: 'Records of usage that were lost because too many waited for the database',
    registers,
    collect() {
      this.reset()
      this.inc(counts()?.usageDropped ?? 0)
    },
  })
  const waits = new Histogram({
    name: 'mobilepool_gateway_admission_wait_seconds',
    help: 'How long attempts of requests and tunnels waited for a device before they had one',
    buckets: WAIT_BUCKETS,
    registers,
  })
  return { admitted: (waitedMs) => waits.observe(waitedMs / 1_000) }
}
