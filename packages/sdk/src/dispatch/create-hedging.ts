import type { Device } from '../core/device.ts'
import { RetryBudget } from '../core/retry-budget.ts'
import { type HedgeSettings, Hedging, type HedgingParts } from './hedging.ts'
import type { PathRun } from './path-run.ts'
import type { RequestRun } from './request-run.ts'
import type { Transport } from './transport.ts'

/** The hedges of a pool: of its requests and of its paths, within one budget. */
export interface PoolHedging {
  /** To be told of every request and path: each brings its share of a hedge. */
  readonly budget: RetryBudget
  readonly requests: Hedging<RequestRun>
  readonly paths: Hedging<PathRun>
}

interface PoolHedgingParts extends Pick<HedgingParts<unknown>, 'core' | 'connectTimes'> {
  readonly transportOf: (device: Device) => Transport | undefined
  readonly host: HedgingParts<unknown>['host']
}

/** Puts them together: a request's second connection is made to be idle, a path's for the path alone. */
export function createHedging(settings: HedgeSettings, { core, connectTimes, transportOf, host }: PoolHedgingParts): PoolHedging {
  const budget = new RetryBudget(settings.budget)
  const shared = { core, connectTimes, budget, host }
  return {
    budget,
    requests: new Hedging(settings, {
      ...shared,
      kindOf: (device, { options, target }) => (transportOf(device)?.usesAbsoluteForm(options, target) === true ? 'forward' : 'tunnel'),
      prepare: (device, { options, target }, onEnd) => transportOf(device)?.prepare(options, target, onEnd) ?? null,
    }),
    paths: new Hedging(settings, {
      ...shared,
      kindOf: (device, { target }) => {
        if (transportOf(device)?.isForward(target) === true) return 'forward'
        return target.upgrade === undefined ? 'raw' : 'tunnel'
      },
      prepare: (device, run, onEnd) => run.prepareSecond(device, onEnd),
    }),
  }
}
