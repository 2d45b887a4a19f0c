/// <reference path="../dispatch/undici-deep.d.ts" />
import api from 'undici/lib/api/index.js'
import { InvalidArgumentError } from 'undici/lib/core/errors.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'
import { composeOver, type Interceptor } from '../dispatch/compose.ts'
import type { DispatchHandler, DispatchOptions, LegacyHandler } from '../dispatch/handlers.ts'
import { liftHandler } from '../dispatch/lift-handler.ts'
import { MobilePoolError } from '../errors.ts'
import type { PoolAgents } from './agents/pool-agents.ts'
import type { Carrier } from './carrier.ts'
import { createMap, type PoolMap } from './map.ts'
import type { PoolFetch, PoolRequestInit } from './pool-fetch.ts'
import { narrow, type Scope, scopeOf } from './scope.ts'
import { parseView } from './view-options.ts'

/** A dispatcher of undici over the pool, in some scope of it: the pool itself, and its views. */
export abstract class ClientDispatcher extends Dispatcher {
  readonly fetch: PoolFetch
  readonly map: PoolMap

  #agents: PoolAgents | null = null

  constructor() {
    super()
    this.setMaxListeners(0)
    this.fetch = (input, init) => this.#fetch(input, init)
    this.map = createMap(this.fetch)
  }

  protected abstract get carrier(): Carrier
  protected abstract get scope(): Scope

  get dispatcher(): this {
    return this
  }

  get httpAgent(): PoolAgents['http'] {
    return this.#ownAgents.http
  }

  get httpsAgent(): PoolAgents['https'] {
    return this.#ownAgents.https
  }

  /** Closes the connections of its agents, those in use too. */
  destroyAgents(): void {
    this.#agents?.http.destroy()
    this.#agents?.https.destroy()
  }

  override dispatch(options: DispatchOptions, handler: DispatchHandler | LegacyHandler): boolean {
    this.#dispatch(this.scope, options, handler)
    // Never busy: what has no device yet waits in the pool's own queue.
    return true
  }

  override compose(...interceptors: (Interceptor | null | undefined | (Interceptor | null | undefined)[])[]): this {
    return composeOver(this, interceptors.flat())
  }

  get #ownAgents(): PoolAgents {
    this.#agents ??= this.carrier.createAgents(this.scope)
    return this.#agents
  }

  #dispatch(scope: Scope, options: DispatchOptions, handler: DispatchHandler | LegacyHandler): void {
    if (!isObject(handler)) throw new InvalidArgumentError('handler must be an object')
    if (!isObject(options)) throw new InvalidArgumentError('options must be an object')
    this.carrier.dispatch(scope, options, liftHandler(handler))
  }

  async #fetch(input: string | URL | Request, { view, ...init }: PoolRequestInit = {}): Promise<Response> {
    const asked = view === undefined ? this.scope : narrow(this.scope, scopeOf(parseView(view)))
    const scope = this.carrier.together(asked)
    const dispatcher = {
      dispatch: (options: DispatchOptions, handler: DispatchHandler | LegacyHandler): boolean => {
        this.#dispatch(scope, options, handler)
        return true
      },
    }
    try {
      // The global types know another undici's dispatchers than ours.
      return await globalThis.fetch(input, Object.assign(init, { dispatcher }))
    } catch (error) {
      throw error instanceof TypeError && error.cause instanceof MobilePoolError ? error.cause : error
    }
  }
}

Object.assign(ClientDispatcher.prototype, api)

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null
