import type { Device } from './device.ts'
import type { SuccessRateSettings } from './success-rate.ts'

export interface EjectionSettings {
  /** Device faults in a row, without a complete response between, that take a device out. */
  readonly consecutive: number
  /** How long the first time; it doubles with every ejection in a row. */
  readonly baseMs: number
  readonly maxMs: number
  /** Share of the devices that are up that may be out at the same time, at most. */
  readonly maxShare: number
  /** Null: success rates are not compared. */
  readonly successRate: SuccessRateSettings | null
}

/** Counts faults against a device. `hang` counts as many as it takes: every further victim would wait a whole time-out. */
export function countFault(device: Device, weight: 'one' | 'hang', settings: EjectionSettings): void {
  device.tally.faults++
  device.consecutiveFaults += weight === 'hang' ? settings.consecutive : 1
}

/** Whether its faults take the device out: a device on probation needs only one. */
export function deservesEjection(device: Device, settings: EjectionSettings): boolean {
  return device.consecutiveFaults >= (device.probing ? 1 : settings.consecutive)
}

/** Whether one more may go, so that a dead target or a dead uplink never takes the whole fleet. */
export function mayEjectOneMore(ejected: number, up: number, settings: EjectionSettings): boolean {
  return ejected + 1 <= Math.floor(up * settings.maxShare)
}

/** Takes the device out; returns until when. */
export function eject(device: Device, now: number, settings: EjectionSettings): number {
  const until = now + Math.min(settings.maxMs, settings.baseMs * 2 ** device.ejectionsInARow)
  device.ejectionsInARow++
  device.tally.ejections++
  device.probing = false
  device.rest = { reason: 'ejected', until }
  return until
}

/** The time is over: one request at a time until one has succeeded. */
export function beginProbation(device: Device): void {
  device.rest = null
  device.probing = true
  device.consecutiveFaults = 0
}

/** A complete response, or proof from outside that the device works. Returns whether it ended a probation. */
export function forgiveFaults(device: Device): boolean {
  const wasProbing = device.probing
  device.consecutiveFaults = 0
  device.probing = false
  if (!wasProbing) device.ejectionsInARow = 0
  return wasProbing
}
