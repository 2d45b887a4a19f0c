import type { Clock } from '../clock.ts'
import { MobilePoolError } from '../errors.ts'
import { isRedisClient, type RedisClient } from './redis-client.ts'
import type { Script } from './scripts.ts'

/** A client, connected or about to be, and whether it is the pool's own to close. */
interface OpenedRedis {
  readonly client: RedisClient
  readonly isOwn: boolean
}

/** Opens what the option names. Rejects with `MP_OPTIONS` when a URL is given and the package `ioredis` is not installed. */
async function openRedis(given: string | URL | RedisClient, timeoutMs: number): Promise<OpenedRedis> {
  if (isRedisClient(given)) return { client: given, isOwn: false }
  const { Redis } = await import('ioredis').catch((cause: unknown) => {
    throw new MobilePoolError('MP_OPTIONS', 'redis: a URL needs the package ioredis: npm install ioredis, or give a client of it', {
      phase: 'options',
      cause,
    })
  })
  const client = new Redis(String(given), {
    // What cannot be sent has failed by the second attempt: the pool goes on without Redis.
    maxRetriesPerRequest: 1,
    connectTimeout: timeoutMs,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 2_000),
  })
  return { client: client as unknown as RedisClient, isOwn: true }
}

/** What of ioredis' clients keeps the process alive. A cluster has one of them a node, and shows none. */
interface Awake {
  readonly stream?: { unref?: () => void }
  readonly reconnectTimeout?: { unref?: () => void }
}

/** A pool that nobody waits for does not keep the process alive; what is asked of Redis does, by its time limit. */
function letProcessEnd(client: RedisClient): void {
  const { stream, reconnectTimeout } = client as Awake
  stream?.unref?.()
  reconnectTimeout?.unref?.()
  client.on('connect', () => (client as Awake).stream?.unref?.())
  // Told just before the timer is made.
  client.on('reconnecting', () => setImmediate(() => (client as Awake).reconnectTimeout?.unref?.()))
}

/** Runs scripts on Redis, each within its time. */
export class RedisLink {
  readonly #opened: Promise<OpenedRedis>
  readonly #timeoutMs: number
  readonly #clock: Clock
  /** Scripts that Redis knows by their hashes. */
  readonly #sent = new Set<string>()
  #isClosed: boolean = false

  constructor(given: string | URL | RedisClient, timeoutMs: number, clock: Clock) {
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    this.#opened = openRedis(given, timeoutMs)
    this.#opened.then(
      // Without a listener an error of a connection ends the process; that Redis is away is seen by what it does not answer.
      ({ client, isOwn }) => {
        if (!isOwn) return
        client.on('error', () => {})
        letProcessEnd(client)
      },
      () => {},
    )
  }

  /** What the script returns. Rejects when Redis does not answer in time, or answers with an error. */
  async run({ text, sha1 }: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    if (this.#isClosed) throw new Error('the pool is closed')
    const { client } = await this.#opened
    const byText = () => client.eval(text, keys.length, ...keys, ...args)
    if (!this.#sent.has(sha1)) {
      // By its text the first time: one that Redis does not know by its hash would be run again, after what was asked meanwhile.
      this.#sent.add(sha1)
      return this.#inTime(byText())
    }
    return this.#inTime(
      client.evalsha(sha1, keys.length, ...keys, ...args).catch((error: unknown) => {
        // Redis has started anew, or another node of the cluster has taken over.
        if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return byText()
        throw error
      }),
    )
  }

  /** Hears what is published to the channel; `onReady` each time that the subscription stands anew. Returns how to end it. */
  async subscribe(channel: string, onMessage: (text: string) => void, onReady: () => void): Promise<() => void> {
    const { client } = await this.#opened
    const own = client.duplicate()
    own.on('error', () => {})
    letProcessEnd(own)
    own.on('message', (_channel: string, text: string) => onMessage(text))
    // ioredis subscribes again by itself when it has lost its connection; what was published meanwhile is lost.
    own.on('ready', () => onReady())
    await own.subscribe(channel)
    onReady()
    return () => own.disconnect()
  }

  /** Closes the connection where it is the pool's own. */
  async close(): Promise<void> {
    this.#isClosed = true
    const opened = await this.#opened.catch(() => null)
    if (opened?.isOwn) opened.client.disconnect()
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Error(`Redis did not answer within ${this.#timeoutMs} ms`))
      const callOff = this.#clock.schedule(this.#timeoutMs, late, { keepsProcessAlive: true })
      answer.then(resolve, reject).finally(callOff)
    })
  }
}
