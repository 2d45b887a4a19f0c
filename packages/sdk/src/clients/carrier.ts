import { AsyncLocalStorage } from 'node:async_hooks'
import type { ResponseCache } from '../cache/response-cache.ts'
import type { Clock } from '../clock.ts'
import { OneDevice } from '../core/one-device.ts'
import type { PoolCore } from '../core/pool-core.ts'
import { type Session, Sessions } from '../core/sessions.ts'
import type { Sticky, View } from '../core/view.ts'
import type { DispatchEngine } from '../dispatch/dispatch-engine.ts'
import type { Errand } from '../dispatch/errand.ts'
import type { DispatchHandler, DispatchOptions } from '../dispatch/handlers.ts'
import type { Path, PathReuse, PathTarget } from '../dispatch/path.ts'
import type { AgentSettings } from './agents/agent-carrier.ts'
import { createPoolAgents, type PoolAgents } from './agents/pool-agents.ts'
import { isShareable, narrow, type Scope, viewOf, WHOLE_POOL } from './scope.ts'

/** Sessions that a pool remembers at a time; beyond it the one unused for longest ends. About 200 bytes each. */
const MAX_SESSIONS = 10_000
/** How often sessions that were not used for their time are looked for. */
const EXPIRY_MS = 10_000

export interface CarrierParts {
  readonly engine: DispatchEngine
  readonly core: PoolCore<Errand>
  readonly clock: Clock
  readonly agents: AgentSettings
  /** Null: nothing is cached. */
  readonly cache: ResponseCache | null
  /** A session on that device is over. */
  readonly onSessionEnd: (device: NonNullable<Session['device']>, rotatesAfter: boolean | undefined) => void
  /** Somebody has ended a session, or lets it begin anew: other processes that share it are told. */
  readonly onSessionOver: (session: Session) => void
}

/** Takes what clients want to send to the engine, with the view of their scope: sessions, and scopes of `pool.run`. */
export class Carrier {
  readonly sessions: Sessions
  readonly clock: Clock
  readonly engine: DispatchEngine
  readonly core: PoolCore<Errand>
  /** As `CarrierParts` says. */
  readonly onSessionOver: CarrierParts['onSessionOver']
  readonly #agents: AgentSettings
  readonly #cache: ResponseCache | null
  /** Made by the first `run`, so that pools without one do not pay for it. */
  #ambient: AsyncLocalStorage<Scope> | null = null
  #callOff: (() => void) | null = null

  constructor({ engine, core, clock, cache, agents, onSessionEnd, onSessionOver }: CarrierParts) {
    this.onSessionOver = onSessionOver
    this.engine = engine
    this.core = core
    this.clock = clock
    this.#agents = agents
    this.#cache = cache
    this.sessions = new Sessions(MAX_SESSIONS, onSessionEnd)
    core.onExitLeft = (device) => {
      for (const session of this.sessions) {
        const breach = session.exitLeft(device)
        if (breach !== null) engine.endSticky(session, breach)
      }
    }
  }

  dispatch(own: Scope, options: DispatchOptions, handler: DispatchHandler): void {
    const { engine } = this
    const scope = this.#scopeOf(own)
    const view = viewOf(scope, this.#stickyOf(scope))
    // Whose lease or session is over gets nothing, not even what is stored.
    const isOver = engine.isClosed || (view.sticky?.breach ?? null) !== null
    if (this.#cache === null || isOver) engine.dispatch(options, handler, view)
    else this.#cache.dispatch((...request) => engine.dispatch(...request, view), options, handler, isShareable(scope))
  }

  openPath(scope: Scope, target: PathTarget, signal?: AbortSignal, reuse?: PathReuse): Promise<Path> {
    return this.engine.openPath(target, this.viewFor(scope), signal, reuse)
  }

  /** Agents of Node whose requests are in this scope. Each keeps connections of its own. */
  createAgents(scope: Scope): PoolAgents {
    return createPoolAgents((...path) => this.openPath(scope, ...path), this.#agents)
  }

  /** The view of a request that begins now. */
  viewFor(own: Scope): View {
    const scope = this.#scopeOf(own)
    return viewOf(scope, this.#stickyOf(scope))
  }

  /** Requests begun inside `work`, by any client of the pool, are in this scope. */
  run<T>(scope: Scope, work: () => T): T {
    this.#ambient ??= new AsyncLocalStorage()
    const outer = this.#ambient.getStore()
    return this.#ambient.run(outer === undefined ? scope : narrow(outer, scope), work)
  }

  /** Calls `work` as if it were in no `run`. */
  outside<T>(work: () => T): T {
    return this.#ambient === null ? work() : this.#ambient.exit(work)
  }

  /** A scope whose requests stay on the device that the first of them gets, as far as that can serve them. */
  together(scope: Scope): Scope {
    const ambient = this.#ambient?.getStore()
    const isTogether = scope.session ?? scope.sticky ?? ambient?.session ?? ambient?.sticky ?? null
    return isTogether === null ? { ...scope, sticky: new OneDevice() } : scope
  }

  close(): void {
    this.#callOff?.()
    this.#callOff = null
  }

  /** A scope inside that of `run`. */
  #scopeOf(own: Scope): Scope {
    const ambient = this.#ambient?.getStore()
    return ambient === undefined ? own : own === WHOLE_POOL ? ambient : narrow(ambient, own)
  }

  #stickyOf({ sticky, session }: Scope): Sticky | null {
    if (sticky !== null || session === null) return sticky
    this.#watchExpiry()
    return this.sessions.use(session.key, session, this.clock.now())
  }

  #watchExpiry(): void {
    this.#callOff ??= this.clock.schedule(EXPIRY_MS, () => {
      this.#callOff = null
      this.sessions.expire(this.clock.now())
      if (this.sessions.size > 0) this.#watchExpiry()
    })
  }
}
