import type { RotationMethod } from '@mobilepool/sdk/contract'
import type { Device } from '../device.ts'
import type { Executor } from './executor.ts'

/**
 * Bare devices send a heartbeat a minute (cron's finest step); this is one of them and 20 s for an answer that comes late, as for the
 * silence that takes a bare device offline.
 */
export const ONE_HEARTBEAT_MS = 80_000

/** Agents give a device that was restarted 4 minutes to come online (packages/agent/src/drivers); before and after it is drained and measured. */
export const ONE_RESTART_MS = 300_000

/** What an attempt's time depends on. */
export interface AttemptTime {
  /** The method that was asked for; null: the device's own choice. */
  requested: RotationMethod | null
  /** Where the device has no `rotation_max_time` (ROTATION_TIMEOUT), ms. */
  timeoutMs: number
  executor: Executor
  /** Whether the exit IP can be measured through the device's proxy. */
  isMeasurable: boolean
}

/**
 * How long one attempt may take, ms. Where heartbeats are all that tells of a change it lasts until one must have come: a shorter one
 * would call every rotation failed; a restart lasts as long as devices take to start. The device's own `rotation_max_time` is taken at its
 * word for its own method, but not for a restart that somebody asks for, which it was not meant for.
 */
export function attemptTimeMs(
  device: Pick<Device, 'rotationMaxTime' | 'rotationMethod'>,
  { requested, timeoutMs, executor, isMeasurable }: AttemptTime,
): number {
  const ownMs = device.rotationMaxTime === null ? null : device.rotationMaxTime * 1000
  const isRestart = (requested ?? device.rotationMethod) === 'device_reboot'
  const isOwnMethod = device.rotationMethod === 'device_reboot'
  if (isRestart && !(isOwnMethod && ownMs !== null)) return Math.max(ownMs ?? timeoutMs, ONE_RESTART_MS)
  if (ownMs !== null) return ownMs
  return executor === 'hub' && !isMeasurable ? Math.max(timeoutMs, ONE_HEARTBEAT_MS) : timeoutMs
}
