import type { DeviceState } from '../core/device.ts'
import type { Fleet } from '../core/fleet.ts'
import type { Breach } from '../core/view.ts'
import { MobilePoolError } from '../errors.ts'

/** Where the fleet stands, in words: `5 devices: 3 offline, 2 rotating`. */
function describeFleet(fleet: Fleet): string {
  if (fleet.size === 0) return 'the pool has no device'
  const counts = new Map<DeviceState, number>()
  for (const { state } of fleet.all()) counts.set(state, (counts.get(state) ?? 0) + 1)
  const states = [...counts].map(([state, count]) => `${count} ${state}`).join(', ')
  return `${fleet.size} ${fleet.size === 1 ? 'device' : 'devices'}: ${states}`
}

/** Nothing is there, and nothing will come. `why`: what the source of devices says, where it is the reason. */
export const noDeviceError = (fleet: Fleet, why: string | null): MobilePoolError =>
  new MobilePoolError('MP_NO_DEVICE', `no device can take the request (${describeFleet(fleet)})${why === null ? '' : `; ${why}`}`)

/** Devices are there, but the site has banned all of them: `until` is when the first may be used for it again. */
export const starvedError = (site: string, until: number, fleet: Fleet, now: number): MobilePoolError =>
  new MobilePoolError(
    'MP_ALL_BANNED',
    `every device that is up is quarantined for ${site} after ban answers, the first until ${new Date(until).toISOString()} (${describeFleet(fleet)})`,
    { until, retryAfterMs: Math.ceil(until - now) },
  )

export function lateError(fleet: Fleet, timeoutMs: number, why: string | null): MobilePoolError {
  const suffix = `${describeFleet(fleet)}${why === null ? '' : `; ${why}`}`
  return fleet.ready.length === 0
    ? new MobilePoolError('MP_NO_DEVICE', `no device came up within ${timeoutMs} ms (${suffix})`)
    : new MobilePoolError(
        'MP_QUEUE_TIMEOUT',
        `no device became free within ${timeoutMs} ms (${suffix}): send fewer requests at once, or raise perDevice.concurrency or queue.timeoutMs`,
      )
}

export const queueFullError = (max: number): MobilePoolError =>
  new MobilePoolError('MP_QUEUE_FULL', `${max} requests wait for a device already: send fewer at once, or raise queue.max`)

/** What kept requests together is over. */
export function breachError(breach: Breach): MobilePoolError {
  const { device } = breach
  const { name } = device.facts
  const details = { deviceId: device.id }
  switch (breach.kind) {
    case 'session_ip_changed':
      return new MobilePoolError(
        'MP_SESSION_IP_CHANGED',
        `session ${JSON.stringify(breach.session)}: its exit IP${inWords(breach.oldIp)} at device ${name} is gone`,
        details,
      )
    case 'lease_released':
      return new MobilePoolError('MP_LEASE_RELEASED', `the lease of device ${name} was released: take another one`, details)
    case 'lease_lost':
      return new MobilePoolError('MP_LEASE_LOST', `the lease of device ${name} is over: ${whyLost(breach)}; take another one`, details)
  }
}

function whyLost(breach: Extract<Breach, { kind: 'lease_lost' }>): string {
  switch (breach.why) {
    case 'offline':
      return 'the device is offline or has left the pool'
    case 'ejected':
      return 'the device failed too often and was ejected'
    case 'banned':
      return 'its exit IP is banned at the site that it is for'
    case 'rotating':
      return `the device is about to rotate and lose its exit IP${inWords(breach.oldIp)}`
    case 'ip_changed':
      return `its exit IP${inWords(breach.oldIp)} is gone`
  }
}

const inWords = (exitIp: string | null): string => (exitIp === null ? '' : ` ${exitIp}`)

/** Whether it says more than what an attempt met before: that there will be no other attempt, and why. */
export const isBreach = ({ code }: MobilePoolError): boolean =>
  code === 'MP_SESSION_IP_CHANGED' || code === 'MP_LEASE_LOST' || code === 'MP_LEASE_RELEASED'

export const closedError = (): MobilePoolError => new MobilePoolError('MP_CLOSED', 'the pool is closed')
