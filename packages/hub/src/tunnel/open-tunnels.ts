import type { Logger } from 'pino'
import type { FleetEvents } from '../fleet/events.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { Rotations } from '../fleet/rotations/rotations.ts'
import { takeReport } from '../fleet/rotations/take-report.ts'
import { isDatabaseDown } from '../store/index.ts'
import { TunnelRegistry } from './registry.ts'

/** Pings of a tunnel in use are more frequent than anybody needs to know of. */
const ALIVE_EVERY_MS = 5_000

/** Puts the tunnels together: what they carry of orders, and how the fleet hears of them. */
export function openTunnels(
  { tunnelPingMs, tunnelMaxStreams }: { tunnelPingMs: number; tunnelMaxStreams: number },
  { fleet, rotations, events, log, now }: { fleet: Fleet; rotations: Rotations; events: FleetEvents; log: Logger; now: () => number },
): TunnelRegistry {
  const tunnels = new TunnelRegistry({
    options: { pingMs: tunnelPingMs, maxStreams: tunnelMaxStreams },
    commands: {
      order: (ask) => rotations.order(ask),
      beat: async (deviceId, heartbeat, address) => {
        const device = fleet.find(deviceId)
        if (!device) return { ipChanged: false }
        const taken = fleet.see(device, address)
        // What it says of itself comes again; that it is alive counts even without a database.
        await fleet.learn(device, heartbeat).catch((error: unknown) => {
          if (!isDatabaseDown(error)) throw error
        })
        return { ipChanged: taken.ipChanged }
      },
      alive: (deviceId, address) => {
        const device = fleet.find(deviceId)
        if (device && now() - (device.lastHeartbeat ?? 0) >= ALIVE_EVERY_MS) fleet.see(device, address)
      },
      report: async (deviceId, id, report, address) => {
        const device = fleet.find(deviceId)
        if (!device) return null
        const { rotation, taken } = await takeReport({ fleet, rotations }, device, { id, report, address })
        await taken.written
        return rotation?.state ?? null
      },
    },
    log,
    now,
    onChange: (deviceId) => {
      const device = fleet.find(deviceId)
      if (!device) return
      device.tunnel = tunnels.status(deviceId)
      events.announce({ type: 'device', device })
    },
  })
  events.on('event', (event) => {
    if (event.type === 'device_removed') tunnels.forget(event.id)
  })
  return tunnels
}
