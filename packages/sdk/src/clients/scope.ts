import type { Device } from '../core/device.ts'
import { OneDevice } from '../core/one-device.ts'
import type { SessionConduct } from '../core/sessions.ts'
import { PLAIN_VIEW, type Sticky, type View } from '../core/view.ts'
import { matchesFilter } from '../sources/filter.ts'
import type { ViewSettings } from './view-options.ts'

/** Views put together: what was given first, narrowed by what was given after it. */
export interface Scope {
  readonly accepts: View['accepts']
  readonly hashKey: string | null
  readonly priority: number | null
  readonly queueTimeoutMs: number | null
  readonly retry: View['retry']
  readonly ignoresBans: boolean
  readonly isUnhedged: boolean
  readonly isUncached: boolean
  readonly session: (SessionConduct & { readonly key: string }) | null
  /** Keeps to a device without a session: a lease. Goes before `session`. */
  readonly sticky: Sticky | null
  /** Whom its requests are for; null: nobody asks. */
  readonly owner: unknown
}

/** The scope of the pool itself. */
export const WHOLE_POOL: Scope = {
  accepts: null,
  hashKey: null,
  priority: null,
  queueTimeoutMs: null,
  retry: null,
  ignoresBans: false,
  isUnhedged: false,
  isUncached: false,
  session: null,
  sticky: null,
  owner: null,
}

/** The scope that a view's options ask for. */
export function scopeOf(settings: ViewSettings): Scope {
  const { filter, devices, exclude, retry } = settings
  const tests: ((device: Device) => boolean)[] = []
  if (filter !== undefined) tests.push(({ facts }) => matchesFilter(facts, filter))
  if (devices !== undefined) tests.push(isNamed(devices))
  if (exclude !== undefined) {
    const isExcluded = isNamed(exclude)
    tests.push((device) => !isExcluded(device))
  }
  return {
    accepts: tests.reduce<Scope['accepts']>(both, null),
    hashKey: settings.hashKey ?? null,
    priority: settings.priority ?? null,
    queueTimeoutMs: settings.queueTimeoutMs ?? null,
    retry: retry === undefined ? null : retry === false ? { attempts: 1 } : defined(retry),
    ignoresBans: settings.ban === false,
    isUnhedged: settings.hedge === false,
    isUncached: settings.cache === false,
    session: settings.session ?? null,
    sticky: null,
    owner: null,
  }
}

/** Devices must suit both; of everything else the inner one's word counts. */
export const narrow = (outer: Scope, inner: Scope): Scope => ({
  accepts: both(outer.accepts, inner.accepts),
  hashKey: inner.hashKey ?? outer.hashKey,
  priority: inner.priority ?? outer.priority,
  queueTimeoutMs: inner.queueTimeoutMs ?? outer.queueTimeoutMs,
  retry: inner.retry ?? outer.retry,
  ignoresBans: inner.ignoresBans || outer.ignoresBans,
  isUnhedged: inner.isUnhedged || outer.isUnhedged,
  isUncached: inner.isUncached || outer.isUncached,
  session: inner.session ?? outer.session,
  // Of the outer ones, only a lease has it: nothing within may leave its device.
  sticky: outer.sticky ?? inner.sticky,
  owner: inner.owner ?? outer.owner,
})

/** Whether its answers are like anybody's, so that a cache may share them: it asks for no exit of its own, and for no ban pages. */
export const isShareable = ({ accepts, hashKey, ignoresBans, isUncached, session, sticky }: Scope): boolean =>
  accepts === null &&
  hashKey === null &&
  !ignoresBans &&
  !isUncached &&
  session === null &&
  (sticky === null || sticky instanceof OneDevice)

/** What the core is asked for. */
export const viewOf = (scope: Scope, sticky: Sticky | null): View =>
  scope === WHOLE_POOL && sticky === null
    ? PLAIN_VIEW
    : {
        accepts: sticky === null ? scope.accepts : acceptedBy(sticky, scope.accepts),
        hashKey: scope.hashKey,
        priority: scope.priority ?? PLAIN_VIEW.priority,
        queueTimeoutMs: scope.queueTimeoutMs,
        sticky,
        retry: scope.retry,
        ignoresBans: scope.ignoresBans,
        isUnhedged: scope.isUnhedged,
        isInquiry: false,
        owner: scope.owner,
      }

const known = new WeakMap<Sticky, { readonly own: Scope['accepts']; readonly accepts: (device: Device) => boolean }>()

/** The same function for the same choice: the queue knows by it who waits for the same. */
function acceptedBy(sticky: Sticky, own: Scope['accepts']): Scope['accepts'] {
  // Nobody else uses it, and it has no device yet: its request waits with those that ask for nothing.
  if (sticky instanceof OneDevice && sticky.device === null) return own
  const before = known.get(sticky)
  if (before !== undefined && before.own === own) return before.accepts
  const accepts = (device: Device) => sticky.accepts(device) && (own === null || own(device))
  known.set(sticky, { own, accepts })
  return accepts
}

const isNamed = (names: readonly string[]): ((device: Device) => boolean) => {
  const set = new Set(names)
  return ({ facts }) => set.has(facts.id) || set.has(facts.name)
}

function both(one: Scope['accepts'], other: Scope['accepts']): Scope['accepts'] {
  if (one === null || other === null) return one ?? other
  return (device) => one(device) && other(device)
}

const defined = ({ attempts, methods }: Exclude<ViewSettings['retry'], false | undefined>) => ({
  ...(attempts === undefined ? {} : { attempts }),
  ...(methods === undefined ? {} : { methods }),
})
