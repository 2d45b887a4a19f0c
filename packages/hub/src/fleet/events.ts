import { EventEmitter } from 'node:events'
import type { AlertRecord, QuarantineRecord, RotationRecord } from '../store/index.ts'
import type { Device } from './device.ts'

/** What happens in the fleet, as the parts of the hub tell each other. Times in ms. */
export type FleetEvent =
  | { type: 'device'; device: Device }
  | { type: 'device_removed'; id: string; name: string }
  | { type: 'heartbeats'; devices: { id: string; lastSeen: number }[] }
  | { type: 'ip_changed'; id: string; name: string; oldIp: string | null; newIp: string; at: number }
  | { type: 'rotation'; rotation: RotationRecord }
  /** A pool reported that sites banned exit IPs, or no longer do (`until` is then now). `begun`: those of them that were not quarantined before. */
  | { type: 'quarantine'; reporter: string; records: QuarantineRecord[]; begun: QuarantineRecord[] }
  /** An agent said how its device is: `device.telemetry`. */
  | { type: 'telemetry'; device: Device }
  /** All of a device's data plan is used, or the share that the rule `data_cap` names: each told once a month, and again after a start. Bytes. */
  | { type: 'data_plan'; id: string; name: string; percent: number; usedBytes: number; capBytes: number; at: number }
  /** The request quota of a user or a key is used up; once for each period. */
  | { type: 'limit_exceeded'; of: 'user' | 'key'; id: string; name: string; limit: number; used: number; at: number }
  /** Something was refused because of a limit that an admin set; `detail` says which, and what to do. */
  | { type: 'limit_refused'; subject: AlertRecord['subject']; detail: string; at: number }
  /** An alert began, changed, was acknowledged or is over. */
  | { type: 'alert'; alert: AlertRecord }

/** Where the fleet announces its events; listeners run at once, in order. */
export class FleetEvents extends EventEmitter<{ event: [FleetEvent] }> {
  announce(event: FleetEvent): void {
    this.emit('event', event)
  }
}
