import type { Writable } from 'node:stream'

/** What an answer is looked up by. Header names are in lower case. */
export interface CacheKey {
  /** Scheme, host and port: `https://example.com`. */
  origin: string
  /** In upper case. */
  method: string
  /** With the query. */
  path: string
  /** Of the request: those that `vary` of a kept answer names must be the same. */
  headers?: Record<string, string | string[]>
}

/** An answer without its body. Times in milliseconds since 1970. */
export interface CacheValue {
  /** HTTP status. */
  statusCode: number
  /** The reason phrase; empty where the site sent none. */
  statusMessage: string
  /** Of the answer. */
  headers: Record<string, string | string[]>
  /** The request headers that it is an answer to, where `Vary` names some. */
  vary?: Record<string, string | string[] | null>
  /** Its `ETag`, with the quotes: a stale answer is asked for again by it. */
  etag?: string
  /** Its `Cache-Control`, parsed, as undici does it. */
  cacheControlDirectives?: object
  /** When it came. */
  cachedAt: number
  /** From when on it is asked for again before it is used. */
  staleAt: number
  /** From when on it is not kept any more. */
  deleteAt: number
}

/** An answer as the store gives it back. */
export interface CachedResponse extends CacheValue {
  /** A stream, an iterable of buffers, a buffer or text; undefined: an empty one. */
  body?: unknown
}

/** Where cached answers are kept: what undici calls a cache store, so that `cacheStores` of npm undici fit. */
export interface CacheStore {
  /** The kept answer that fits, stale ones included; undefined: there is none. */
  get(key: CacheKey): CachedResponse | undefined | Promise<CachedResponse | undefined>
  /** Takes the body; the answer is there when the stream has finished. Undefined: it is not to be kept. */
  createWriteStream(key: CacheKey, value: CacheValue): Writable | undefined
  /** Forgets all answers of the URL. */
  delete(key: CacheKey): void | Promise<void>
}
