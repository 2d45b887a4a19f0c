import { Counter, Gauge, type Registry } from 'prom-client'
import type { TunnelRegistry } from '../tunnel/registry.ts'

/** Registers what the tunnels have to say; without labels, so that a large fleet costs nothing. */
export function registerTunnelMetrics(registry: Registry, tunnels: Pick<TunnelRegistry, 'counts' | 'totals'>): void {
  const registers = [registry]
  const now = (name: string, help: string, key: 'devices' | 'sessions' | 'streams') =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(tunnels.counts()[key])
      },
    })
  now('mobilepool_tunnel_devices', 'Devices that have a tunnel to this hub', 'devices')
  now('mobilepool_tunnel_sessions', 'Connections that agents have dialled', 'sessions')
  now('mobilepool_tunnel_streams', 'Connections that go through tunnels', 'streams')
  const since = (name: string, help: string, key: keyof TunnelRegistry['totals']) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(tunnels.totals[key])
      },
    })
  since('mobilepool_tunnel_sessions_opened_total', 'Sessions that were taken', 'sessionsOpened')
  since('mobilepool_tunnel_sessions_lost_total', 'Sessions that are over, replaced ones included', 'sessionsLost')
  since('mobilepool_tunnel_streams_opened_total', 'Connections that were made through tunnels', 'streamsOpened')
  since('mobilepool_tunnel_streams_failed_total', 'Connections that could not be made, for whatever reason', 'streamsRefused')
}
