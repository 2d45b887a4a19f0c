import { EventEmitter } from 'node:events'
import type { QuarantineRecord, RotationRecord } from '../store/index.ts'
import type { Device } from './device.ts'

/** What happens in the fleet, as the parts of the hub tell each other. Times in ms. */
export type FleetEvent =
  | { type: 'device'; device: Device }
  | { type: 'device_removed'; id: string; name: string }
  | { type: 'heartbeats'; devices: { id: string; lastSeen: number }[] }
  | { type: 'ip_changed'; id: string; name: string; oldIp: string | null; newIp: string; at: number }
  | { type: 'rotation'; rotation: RotationRecord }
  /** A pool reported that sites banned exit IPs, or no longer do (`until` is then now). */
  | { type: 'quarantine'; reporter: string; records: QuarantineRecord[] }

/** Where the fleet announces its events; listeners run at once, in order. */
export class FleetEvents extends EventEmitter<{ event: [FleetEvent] }> {
  announce(event: FleetEvent): void {
    this.emit('event', event)
  }
}
