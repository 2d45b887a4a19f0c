import type { Duplex } from 'node:stream'
import { connectThroughPool, forwardThroughPool } from '../clients/listen/through-pool.ts'
import { narrow, type Scope, scopeOf, WHOLE_POOL } from '../clients/scope.ts'
import { parseView, type ViewOptions } from '../clients/view-options.ts'
import type { DeviceFacts } from '../core/device.ts'
import type { PoolEvents } from '../events.ts'
import { parseOptions } from '../options/parse-options.ts'
import type { MobilePoolOptions } from '../options/pool-options.ts'
import { assemblePool, type Supply } from '../pool-parts.ts'
import type { PlainAnswer, PlainRequest, ProxyContext, ProxyTarget } from '../proxy-server/index.ts'
import { hubBackoff } from '../sources/hub/backoff.ts'
import { SharedBans, type SharedBansParts } from '../sources/hub/shared-bans.ts'
import { publishEvent } from '../telemetry/channels.ts'

/** Options of a pool whose devices come from the program that embeds it. */
export type PoolFrontOptions = Omit<MobilePoolOptions, 'hub' | 'devices' | 'usage' | 'cache' | 'logger' | 'exitIpUrl' | 'filter'>

/** What the embedding program brings, and hears. */
export interface PoolFrontParts extends Supply {
  /** Where bans are exchanged with other pools, as the hub's API has them. */
  readonly bans: SharedBansParts['client']
  /** What happens in the pool. Must not throw. */
  readonly onEvent: (event: { [Name in keyof PoolEvents]: { name: Name; data: PoolEvents[Name][0] } }[keyof PoolEvents]) => void
}

/** What a user's requests ask of the pool, checked. Keep it and give it with each of them: waiting requests are compared by it. */
export interface Wish {
  readonly scope: Scope
}

/** What a wish may ask. */
export type WishOptions = ViewOptions & {
  /** Whom the requests are for: told with each attempt. */
  readonly owner: unknown
  /** Which devices suit it, besides what the other options ask. @default all */
  readonly suits?: (device: Pick<DeviceFacts, 'region' | 'tags'>) => boolean
  /** Rotates the session's device when the session is over. @default false */
  readonly rotatesAfter?: boolean
}

/** What of a proxy server's context concerns a pool. */
type Context = Pick<ProxyContext<unknown>, 'signal' | 'replyHeaders'>

/** A pool behind a forward proxy of the embedding program: the hub's gateway. */
export interface PoolFront {
  /** Throws `MP_OPTIONS`. */
  wish(options: WishOptions): Wish
  /** For the proxy server's `connect`: a tunnel through a device, another one as long as none stands. Throws `ProxyError`. */
  connect(wish: Wish, target: ProxyTarget, context: Context): Promise<Duplex>
  /** For its `forward`: a plain request with retries and bans. Throws `ProxyError`. */
  forward(wish: Wish, request: PlainRequest, context: Context): Promise<PlainAnswer>
  /** Bans that other pools have told the hub. */
  hearBans: SharedBans['hear']
  /** Requests that have a device, and that wait for one. */
  load(): { readonly inFlight: number; readonly queued: number; readonly ready: number; readonly sessions: number }
  /** Devices that take no other request now, since as many as they may have are under way here; their ids. */
  busyDevices(): ReadonlySet<string>
  /** Lets requests under way finish, at most for so long, then ends the rest. */
  close(timeoutMs: number): Promise<void>
}

/** Opens the pool; its source is started at once. Throws `MP_OPTIONS`. */
export function openPoolFront(options: PoolFrontOptions, { bans, onEvent, ...supply }: PoolFrontParts): PoolFront {
  const settings = parseOptions({ ...options, devices: [] })
  const pool = {}
  const parts = assemblePool(settings, {
    pool,
    supply,
    emit: (name, ...[data]) => {
      publishEvent(pool, name, data)
      onEvent({ name, data } as Parameters<typeof onEvent>[0])
    },
  })
  const { carrier, engine, core, clock } = parts
  const shared = new SharedBans({
    client: bans,
    quarantine: core.quarantine,
    clock,
    random: Math.random,
    backoff: hubBackoff,
    onLearnt: () => engine.fleetChanged(),
  })
  parts.start()
  void shared.catchUp()
  return {
    wish({ owner, suits, rotatesAfter = false, ...view }) {
      const asked = scopeOf(parseView(view))
      const session = asked.session && { ...asked.session, rotatesAfter }
      const scope = { ...asked, owner, session }
      return { scope: suits === undefined ? scope : narrow(scope, { ...WHOLE_POOL, accepts: ({ facts }) => suits(facts) }) }
    },
    connect: ({ scope }, target, context) => connectThroughPool(carrier, scope, target, context),
    forward: ({ scope }, request, context) => forwardThroughPool(carrier, scope, request, context),
    hearBans: (news) => shared.hear(news),
    load: () => ({ inFlight: engine.inFlight, queued: core.queued, ready: core.fleet.ready.length, sessions: carrier.sessions.size }),
    busyDevices() {
      const ids = new Set<string>()
      for (const { id, inFlight, limits } of core.fleet.ready) if (inFlight >= limits.concurrency) ids.add(id)
      return ids
    },
    async close(timeoutMs) {
      await shared.close()
      await parts.close(timeoutMs)
    },
  }
}
