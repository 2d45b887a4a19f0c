/** As much of an ioredis client, `Redis` or `Cluster` of ioredis 5 and later, as a pool needs. */
export interface RedisClient {
  /** Runs a Lua script by its text. */
  eval(script: string, keys: number, ...args: string[]): Promise<unknown>
  /** Runs one that the server knows, by its SHA-1. */
  evalsha(sha1: string, keys: number, ...args: string[]): Promise<unknown>
  /** A connection of its own, for subscriptions. */
  duplicate(): RedisClient
  /** Hears what is published to the channel. */
  subscribe(channel: string): Promise<unknown>
  /** Calls the listener for each message, each error, each time that it is connected. */
  // biome-ignore lint/suspicious/noExplicitAny: as ioredis and Node's emitters have it
  on(event: string, listener: (...args: any[]) => void): unknown
  /** Closes the connection. */
  disconnect(): void
}

/** Redis, by which pools in several processes share what they know of their devices. */
export interface RedisOptions {
  /**
   * URL, `redis://:password@host:6379/0` or `rediss://`, for which the npm package `ioredis` must be installed; or a client of ioredis 5 or
   * later, `new Redis()` or `new Cluster()`, which stays yours: the pool does not close it.
   */
  client: string | URL | RedisClient
  /** Pools with the same one share; keys begin with it. 1 to 100 letters, digits, `.`, `_`, `:` and `-`. @default 'mobilepool' */
  prefix?: string
  /** How long Redis may take to answer before the pool goes on without it. 10 to 60000. @default 1000 */
  timeoutMs?: number
}

/** Whether it is one, as far as can be seen. */
export function isRedisClient(value: unknown): value is RedisClient {
  const methods = ['eval', 'evalsha', 'duplicate', 'subscribe', 'on', 'disconnect']
  return (
    typeof value === 'object' && value !== null && methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
  )
}
