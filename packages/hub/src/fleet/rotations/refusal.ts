import type { RotationMethod } from '@mobilepool/sdk/contract'
import type { Refusal } from '../../errors.ts'
import { type Device, isPending } from '../device.ts'
import { executorOf } from './executor.ts'

/** Whether a rotation of the device may be asked for now, with that method; null: yes. */
export function refuseRotation(device: Device, method: RotationMethod | null, now: number, minIntervalMs: number): Refusal | null {
  const unsupported = (detail: string): Refusal => ({ code: 'rotation_unsupported', detail })
  if (isPending(device)) return unsupported(`${device.name} is only pending: adopt it first with POST /api/v1/admin/devices.`)
  if (device.maintenance) return unsupported(`${device.name} is in maintenance: end that first.`)
  if (device.rotation)
    return {
      code: 'rotation_running',
      detail: `${device.name} has a rotation under way: ${device.rotation.state}.`,
      rotationId: device.rotation.id,
    }
  if (executorOf(device, method) === null) return unsupported(whyNot(device, method))
  const last = device.lastRotation
  const waitMs = last === null || last.reason === 'canceled' ? 0 : last.endedAt + minIntervalMs - now
  if (waitMs <= 0) return null
  const retryAfter = Math.ceil(waitMs / 1000)
  return {
    code: 'rotation_too_soon',
    detail: `${device.name} ended a rotation a moment ago; at least ${minIntervalMs / 1000} s lie between two (ROTATION_MIN_INTERVAL). Try again in ${retryAfter} s.`,
    retryAfter,
  }
}

function whyNot(device: Device, requested: RotationMethod | null): string {
  const method = requested ?? device.rotationMethod
  if (method === 'api_call')
    return `${device.name} has no rotation_url for the hub to call: set it with PATCH /api/v1/admin/devices/${device.name}.`
  if (device.kind !== 'agent')
    return method === null
      ? `The hub has no way to rotate ${device.name}: it runs no agent and has no rotation_url.`
      : `${device.name} runs no agent, so it cannot rotate by ${method}; with a rotation_url the hub can, by api_call.`
  if (device.methods.length === 0) return `The hub has no way to rotate ${device.name}: its agent reports no method.`
  const whose = requested === null ? ' (its rotation_method)' : ''
  return `${device.name} cannot rotate by ${method}${whose}; it can by ${device.methods.join(', ')}.`
}
