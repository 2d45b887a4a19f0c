import type { Device } from './device.ts'

export interface LimitSettings {
  /** Requests in flight on one device. */
  readonly concurrency: number
}

/** Whether one more request fits on the device. A device on probation gets one at a time. */
export const hasRoom = (device: Device, limits: LimitSettings): boolean => device.inFlight < (device.probing ? 1 : limits.concurrency)
