import type { RotationMethod } from '@mobilepool/sdk/contract'
import type { Device } from '../device.ts'

/** Who makes a device rotate: its agent, or the hub by calling the device's rotation URL. */
export type Executor = 'agent' | 'hub'

type Rotatable = Pick<Device, 'kind' | 'methods' | 'rotationMethod' | 'rotationUrl'>

/** Who rotates the device by that method (null: the device's own choice); null: nobody can. */
export function executorOf(device: Rotatable, requested: RotationMethod | null): Executor | null {
  const method = requested ?? device.rotationMethod
  const hasUrl = device.rotationUrl !== null
  const hasAgent = device.kind === 'agent' && device.methods.length > 0
  if (method === 'api_call' && hasUrl) return 'hub'
  if (method !== null) return hasAgent && device.methods.includes(method) ? 'agent' : null
  if (hasAgent) return 'agent'
  return hasUrl ? 'hub' : null
}
