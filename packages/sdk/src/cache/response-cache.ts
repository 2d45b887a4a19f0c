/// <reference path="../dispatch/undici-deep.d.ts" />
import cacheInterceptor from 'undici/lib/interceptor/cache.js'
import type { DispatchHandler, DispatchOptions } from '../dispatch/handlers.ts'
import { headerValue } from '../dispatch/request-headers.ts'
import type { CachedResponse, CacheKey, CacheStore } from './cache-store.ts'
import { type AnswerSource, CachedExchange, type Send } from './cached-exchange.ts'
import { type MemoryLimits, MemoryStore } from './memory-store.ts'

type CacheMethod = 'GET' | 'HEAD' | 'OPTIONS' | 'TRACE'

export interface CacheSettings extends MemoryLimits {
  /** @default a store of its own, in memory */
  readonly store?: CacheStore | undefined
  readonly methods: readonly CacheMethod[]
  readonly type: 'shared' | 'private'
  readonly cacheByDefaultMs?: number | undefined
}

/** Answers that a pool's cache gave since the pool began. */
export interface CacheCounts {
  /** Without asking anybody. */
  answered: number
  /** After a device had asked the site whether it still holds (304); those requests are among the pool's own as well. */
  revalidated: number
}

const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE']
/** Of as many answers it is known where they lie, as reports can be about. */
const REMEMBERED = 4_096
const [ATTEMPTS, REQUEST] = ['x-mobilepool-attempts', 'x-mobilepool-request'] as const

/** A pool's cache of answers, by the rules of RFC 9111 as undici has them, and a few of ours on what may be shared. */
export class ResponseCache {
  readonly counts: CacheCounts = { answered: 0, revalidated: 0 }
  readonly #settings: CacheSettings
  readonly #store: CacheStore
  /** Where the answers lie, by the number of their request; the oldest first. */
  readonly #keys = new Map<number, CacheKey>()

  constructor(settings: CacheSettings, now: () => number) {
    this.#settings = settings
    this.#store = settings.store ?? new MemoryStore(settings, now)
  }

  /** Answers a request, or sends it. With `mayShare` false it is neither answered nor remembered; but what it changes is forgotten. */
  dispatch(send: Send, options: DispatchOptions, handler: DispatchHandler, mayShare: boolean): void {
    if (!this.#concerns(options, mayShare)) {
      send(options, handler)
      return
    }
    const exchange = new CachedExchange(send, options, handler, this.#count)
    const { methods, type, cacheByDefaultMs } = this.#settings
    exchange.start(
      cacheInterceptor({
        store: this.#storeFor(exchange),
        methods,
        type,
        ...(cacheByDefaultMs === undefined ? {} : { cacheByDefault: cacheByDefaultMs }),
      }),
    )
  }

  /** The answer to the request of this number turned out to be a ban. */
  forget(order: number): void {
    const key = this.#keys.get(order)
    if (key === undefined) return
    this.#keys.delete(order)
    // A store that fails must not fail the report, which has been counted.
    new Promise((resolve) => resolve(this.#store.delete(key))).catch(() => {})
  }

  readonly #count = (source: AnswerSource): void => {
    if (source === 'stored') this.counts.answered++
    else if (source === 'revalidated') this.counts.revalidated++
  }

  #concerns({ origin, method, headers, upgrade }: DispatchOptions, mayShare: boolean): boolean {
    if (origin === undefined || (upgrade !== undefined && upgrade !== null && upgrade !== false) || method === 'CONNECT') return false
    if (!SAFE_METHODS.includes(method)) return true
    if (!mayShare || !this.#settings.methods.some((one) => one === method) || headerValue(headers, 'range') !== undefined) return false
    if (this.#settings.type === 'private') return true
    // RFC 9111 would let a site share what it sends to a cookie. One that forgets to say otherwise must not mix up accounts.
    return headerValue(headers, 'authorization') === undefined && headerValue(headers, 'cookie') === undefined
  }

  #storeFor(exchange: CachedExchange): CacheStore {
    const store = this.#store
    return {
      get: (key) => {
        const found = store.get(key)
        return found instanceof Promise ? found.then(asCached) : asCached(found)
      },
      createWriteStream: (key, value) => {
        // A site's failure is over sooner than its headers say.
        if (!exchange.isProper || value.statusCode >= 500) return undefined
        const order = Number(value.headers[REQUEST])
        if (Number.isInteger(order)) this.#remember(order, key)
        return store.createWriteStream(key, value)
      },
      delete: (key) => store.delete(key),
    }
  }

  #remember(order: number, { origin, method, path }: CacheKey): void {
    this.#keys.set(order, { origin, method, path })
    const oldest = this.#keys.size > REMEMBERED ? this.#keys.keys().next().value : undefined
    if (oldest !== undefined) this.#keys.delete(oldest)
  }
}

/** It says who fetched it, and that nobody was asked this time. */
function asCached(found: CachedResponse | undefined): CachedResponse | undefined {
  if (found === undefined || !(ATTEMPTS in found.headers)) return found
  return { ...found, headers: { ...found.headers, [ATTEMPTS]: '0' } }
}
