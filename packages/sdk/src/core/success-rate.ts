import type { Device } from './device.ts'

/** When a device is out of line with the fleet. The words are Envoy's (outlier detection, success_rate). */
export interface SuccessRateSettings {
  /** How many standard deviations below the mean of the others. */
  readonly stdevFactor: number
  /** With fewer devices that had enough requests nothing is compared. */
  readonly minDevices: number
  /** Requests that a device must have had to be compared. */
  readonly minRequests: number
  /** How often, and over how long a time, devices are compared. */
  readonly intervalMs: number
}

/** A fleet that is all but perfect has a tiny deviation: less than this below the mean is nobody's outlier. */
const SMALLEST_GAP = 0.1

/** Counts how a request through the device went. What is nobody's fault is not counted. */
export function noteRate(device: Device, isSuccess: boolean): void {
  device.window.requests++
  if (!isSuccess) device.window.failures++
}

/**
 * The devices whose success rate is out of line, the worst first. Each is held against the others, not against a mean that it has
 * pulled down itself: in a fleet of five, one device can never be 1.9 deviations from a mean that includes it. A target that fails
 * everybody makes nobody an outlier.
 */
export function outliers(devices: Iterable<Device>, settings: SuccessRateSettings): Device[] {
  const rated: { device: Device; rate: number }[] = []
  for (const device of devices) {
    const { requests, failures } = device.window
    if (requests >= settings.minRequests) rated.push({ device, rate: 1 - failures / requests })
  }
  if (rated.length < Math.max(2, settings.minDevices)) return []
  const others = rated.length - 1
  const sum = rated.reduce((total, { rate }) => total + rate, 0)
  const squares = rated.reduce((total, { rate }) => total + rate * rate, 0)
  return rated
    .filter(({ rate }) => {
      const mean = (sum - rate) / others
      const deviation = Math.sqrt(Math.max(0, (squares - rate * rate) / others - mean * mean))
      return rate < mean - Math.max(SMALLEST_GAP, settings.stdevFactor * deviation)
    })
    .sort((one, other) => one.rate - other.rate)
    .map(({ device }) => device)
}

/** A new interval begins. */
export function forgetRates(devices: Iterable<Device>): void {
  for (const { window } of devices) {
    window.requests = 0
    window.failures = 0
  }
}
