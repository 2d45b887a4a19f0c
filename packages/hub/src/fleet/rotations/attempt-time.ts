import type { Device } from '../device.ts'
import type { Executor } from './executor.ts'

/**
 * Bare devices send a heartbeat a minute (cron's finest step); this is one of them and 20 s for an answer that comes late, as for the
 * silence that takes a bare device offline.
 */
export const ONE_HEARTBEAT_MS = 80_000

/** What an attempt's time depends on. */
export interface AttemptTime {
  /** Where the device has no `rotation_max_time` (ROTATION_TIMEOUT), ms. */
  timeoutMs: number
  executor: Executor
  /** Whether the exit IP can be measured through the device's proxy. */
  isMeasurable: boolean
}

/**
 * How long one attempt may take, ms. Where heartbeats are all that tells of a change it lasts until one must have come: a shorter one
 * would call every rotation failed. The device's own `rotation_max_time` is taken at its word.
 */
export function attemptTimeMs(device: Pick<Device, 'rotationMaxTime'>, { timeoutMs, executor, isMeasurable }: AttemptTime): number {
  if (device.rotationMaxTime !== null) return device.rotationMaxTime * 1000
  return executor === 'hub' && !isMeasurable ? Math.max(timeoutMs, ONE_HEARTBEAT_MS) : timeoutMs
}
