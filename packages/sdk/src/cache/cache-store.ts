import type { Writable } from 'node:stream'

/** What an answer is looked up by. Header names are in lower case. */
export interface CacheKey {
  origin: string
  method: string
  path: string
  headers?: Record<string, string | string[]>
}

/** An answer without its body. Times in milliseconds since 1970. */
export interface CacheValue {
  statusCode: number
  statusMessage: string
  headers: Record<string, string | string[]>
  /** The request headers that it is an answer to, where `Vary` names some. */
  vary?: Record<string, string | string[] | null>
  etag?: string
  cacheControlDirectives?: object
  cachedAt: number
  staleAt: number
  deleteAt: number
}

export interface CachedResponse extends CacheValue {
  body?: unknown
}

/** Where cached answers are kept: what undici calls a cache store, so that `cacheStores` of npm undici fit. */
export interface CacheStore {
  get(key: CacheKey): CachedResponse | undefined | Promise<CachedResponse | undefined>
  /** Takes the body; the answer is there when the stream has finished. Undefined: it is not to be kept. */
  createWriteStream(key: CacheKey, value: CacheValue): Writable | undefined
  /** Forgets all answers of the URL. */
  delete(key: CacheKey): void | Promise<void>
}
