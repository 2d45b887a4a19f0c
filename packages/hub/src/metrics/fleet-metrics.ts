import { type DeviceStatus, deviceStatus } from '@mobilepool/sdk/contract'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Device } from '../fleet/device.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { DeviceLabels } from './device-labels.ts'
import type { DeviceTallies } from './device-tallies.ts'

/** `device_health_status`: 1 serves, 0.5 is away on purpose, 0 is not there. Pending names have none. */
const HEALTH: Record<DeviceStatus, number> = { online: 1, busy: 1, rotating: 0.5, maintenance: 0.5, offline: 0, pending: 0 }

/** Where the fleet's metrics are read from, at each scrape. */
export interface FleetMetricsParts {
  fleet: Pick<Fleet, 'status' | 'waiting'>
  /** The fleet at this scrape. */
  devices: () => readonly Device[]
  streams: () => number
  labels: () => DeviceLabels
  /** By status class. */
  requests: DeviceTallies
  /** By `<method> <outcome>`. */
  rotations: DeviceTallies
}

/** Registers what is read from memory when it is asked for: the fleet as it stands, and the counters per device. */
export function registerFleetMetrics(
  registry: Registry,
  { fleet, devices, streams, labels, requests, rotations }: FleetMetricsParts,
): void {
  const registers = [registry]
  new Gauge({
    name: 'active_devices_total',
    help: 'Devices that take requests now: online or busy',
    registers,
    collect() {
      this.set(devices().filter((device) => HEALTH[fleet.status(device)] === 1).length)
    },
  })
  new Gauge({
    name: 'mobilepool_devices',
    help: 'Devices by status',
    labelNames: ['status'],
    registers,
    collect() {
      const counts = new Map<DeviceStatus, number>(deviceStatus.options.map((status) => [status, 0]))
      for (const device of devices()) counts.set(fleet.status(device), (counts.get(fleet.status(device)) ?? 0) + 1)
      for (const [status, count] of counts) this.set({ status }, count)
    },
  })
  new Gauge({
    name: 'device_health_status',
    help: '1: serves; 0.5: away on purpose (rotating, maintenance); 0: offline',
    labelNames: ['device'],
    registers,
    collect() {
      this.reset()
      for (const device of labels().named) this.set({ device: device.name }, HEALTH[fleet.status(device)])
    },
  })
  new Gauge({
    name: 'mobilepool_device_last_heartbeat_timestamp_seconds',
    help: 'When the device was heard last, Unix time',
    labelNames: ['device'],
    registers,
    collect() {
      this.reset()
      for (const { name, lastHeartbeat } of labels().named) if (lastHeartbeat !== null) this.set({ device: name }, lastHeartbeat / 1000)
    },
  })
  new Counter({
    name: 'mobilepool_device_ip_changes_total',
    help: 'Changes of the exit IP of a device since it was first heard',
    labelNames: ['device'],
    registers,
    collect() {
      this.reset()
      for (const { name, ipChanges } of labels().named) this.inc({ device: name }, ipChanges)
    },
  })
  new Counter({
    name: 'requests_total',
    help: 'Attempts of requests through a device, as pools report them; status is 2xx to 5xx, or none where no answer came',
    labelNames: ['device', 'status'],
    registers,
    collect() {
      this.reset()
      const of = labels()
      for (const [id, counts] of requests.entries()) {
        const device = of.of(id)
        if (device !== null) for (const [status, count] of counts) this.inc({ device, status }, count)
      }
    },
  })
  new Counter({
    name: 'ip_rotations_total',
    help: 'Rotations that ended, by method and outcome (changed, unchanged, failed)',
    labelNames: ['device', 'method', 'outcome'],
    registers,
    collect() {
      this.reset()
      const of = labels()
      for (const [id, counts] of rotations.entries()) {
        const device = of.of(id)
        if (device === null) continue
        for (const [key, count] of counts) {
          const [method = 'unknown', outcome = 'failed'] = key.split(' ')
          this.inc({ device, method, outcome }, count)
        }
      }
    },
  })
  new Gauge({
    name: 'mobilepool_event_streams',
    help: 'Event streams (SSE) that are open',
    registers,
    collect() {
      this.set(streams())
    },
  })
  new Gauge({
    name: 'mobilepool_heartbeats_waiting',
    help: 'Devices whose latest heartbeat is not in the database yet; it grows while the database is away',
    registers,
    collect() {
      this.set(fleet.waiting)
    },
  })
}
