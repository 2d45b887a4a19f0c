/**
 * What we use of undici 7.30.2, by deep path: its main entry would set the process's global dispatcher (reference/sdk.md 1.3).
 * The package has no `exports` map, so the paths resolve; the exact version pin keeps them true.
 */

declare module 'undici/lib/dispatcher/dispatcher.js' {
  import { EventEmitter } from 'node:events'
  export default class Dispatcher extends EventEmitter {
    dispatch(options: unknown, handler: unknown): boolean
    close(callback?: unknown): unknown
    destroy(error?: unknown, callback?: unknown): unknown
    compose(...interceptors: unknown[]): unknown
  }
}

declare module 'undici/lib/dispatcher/agent.js' {
  interface Options {
    connect: (
      options: { hostname: string; host: string; protocol: string; port: string; servername: string | null },
      callback: Callback,
    ) => void
    pipelining?: number
    keepAliveTimeout?: number
    keepAliveMaxTimeout?: number
    allowH2?: boolean
  }
  type Callback = (error: Error | null, socket: import('../dispatch/connect-device.ts').DeviceStream | null) => void
  export default class Agent {
    constructor(options: Options)
    dispatch(options: object, handler: object): boolean
    close(): Promise<void>
    destroy(error?: Error): Promise<void>
  }
}

declare module 'undici/lib/dispatcher/pool.js' {
  type Callback = (error: Error | null, socket: import('../dispatch/connect-device.ts').DeviceStream | null) => void
  interface Options {
    connect: (options: { hostname: string; port: string }, callback: Callback) => void
    pipelining?: number
    keepAliveTimeout?: number
    keepAliveMaxTimeout?: number
    allowH2?: boolean
  }
  /** The floor of the benchmarks. */
  export default class Pool {
    constructor(origin: string, options: Options)
    dispatch(options: object, handler: object): boolean
    close(): Promise<void>
    destroy(error?: Error): Promise<void>
  }
}

declare module 'undici/lib/dispatcher/client.js' {
  import { EventEmitter } from 'node:events'
  import symbols from 'undici/lib/core/symbols.js'

  type Callback = (error: Error | null, socket: import('../dispatch/connect-device.ts').DeviceStream | null) => void
  interface Options {
    /** Calls back later, never at once. */
    connect: (options: { hostname: string; port: string }, callback: Callback) => void
    pipelining: number
    keepAliveTimeout: number
    keepAliveMaxTimeout: number
    headersTimeout: number
    bodyTimeout: number
    allowH2: boolean
  }
  /** Emits `connect`, `disconnect`, `connectionError`, and `drain` when it may carry a request again. */
  export default class Client extends EventEmitter {
    constructor(origin: string, options: Options)
    /** Requests in it, those under way included. `stats.size`, without an object made for every look. */
    readonly [symbols.kSize]: number
    dispatch(options: object, handler: object): boolean
    close(): Promise<void>
    destroy(error?: Error): Promise<void>
  }
}

declare module 'undici/lib/interceptor/cache.js' {
  type Dispatch<Options, Handler> = (options: Options, handler: Handler) => boolean
  /** `cacheByDefault`: milliseconds. `createWriteStream` may be asked for nothing. */
  export default function cache(options: {
    store: object
    methods: readonly string[]
    type: 'shared' | 'private'
    cacheByDefault?: number
  }): <Options, Handler>(dispatch: Dispatch<Options, Handler>) => (options: Options, handler: Handler) => unknown
}

declare module 'undici/lib/core/connect.js' {
  import type { Socket } from 'node:net'
  import type { Duplex } from 'node:stream'
  import type { ConnectionOptions } from 'node:tls'

  interface ConnectTarget {
    hostname: string
    host: string
    protocol: string
    port: string
    servername: string | null
    httpSocket: Duplex
  }
  /** `timeout: 0` leaves the time limit to the caller. */
  export default function buildConnector(
    options: ConnectionOptions & { allowH2: boolean; timeout: number },
  ): (target: ConnectTarget, callback: (error: Error | null, socket: Socket | null) => void) => Socket
}

declare module 'undici/lib/core/symbols.js' {
  const symbols: { readonly kSize: unique symbol }
  export default symbols
}

declare module 'undici/lib/core/errors.js' {
  export class InvalidArgumentError extends Error {}
  export class RequestAbortedError extends Error {}
}

declare module 'undici/lib/api/index.js' {
  interface ReplyBody extends AsyncIterable<Buffer> {
    text(): Promise<string>
    dump(): Promise<void>
    destroy(error?: Error): void
  }
  export interface Reply {
    statusCode: number
    headers: Record<string, string | string[] | undefined>
    body: ReplyBody
  }
  /** A method: `this` is the dispatcher. */
  export function request(this: { dispatch(options: object, handler: object): boolean }, options: object): Promise<Reply>
  const api: Record<'request' | 'stream' | 'pipeline' | 'upgrade' | 'connect', (...args: never[]) => unknown>
  export default api
}
