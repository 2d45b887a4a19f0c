import { MobilePoolError } from '../../errors.ts'
import type { Balancer } from './balancer.ts'
import { type CustomBalancer, customBalancer } from './custom.ts'
import { balancers } from './index.ts'
import type { BalancerName } from './names.ts'

/**
 * The balancer that the options name or bring. A function is called once, to make one. Throws `MP_OPTIONS` when what it makes has no `pick`.
 * `onTrouble` is told when a balancer of the user's own fails.
 */
export function createBalancer(
  choice: BalancerName | CustomBalancer | (() => CustomBalancer),
  random: () => number,
  onTrouble: (error: Error) => void,
): Balancer {
  if (typeof choice === 'string') return balancers[choice](random)
  const custom: unknown = typeof choice === 'function' ? choice() : choice
  if (!isCustom(custom))
    throw new MobilePoolError('MP_OPTIONS', 'balancer: the function must return an object with a method pick', { phase: 'options' })
  return customBalancer(custom, random, onTrouble)
}

const isCustom = (value: unknown): value is CustomBalancer =>
  typeof value === 'object' && value !== null && 'pick' in value && typeof value.pick === 'function'
