import { setMaxListeners } from 'node:events'
import PQueue from 'p-queue'
import { z } from 'zod'
import { count } from '../options/numbers.ts'
import { optionsError } from '../options/parse-options.ts'
import type { PoolFetch } from './pool-fetch.ts'

/** How `pool.map` goes about it. */
export interface MapOptions {
  /**
   * Items that are worked on at a time; the pool's own limits hold besides. 1 to 10000. @default 10, as many as one device takes with
   * `perDevice.concurrency` left out: with more devices, more is faster
   */
  concurrency?: number
  /** Ends it: `map` rejects with its reason. */
  signal?: AbortSignal
  /** `false`: what fails is among the results, and the others go on. @default true */
  stopOnError?: boolean
}

/** What the work on an item is given besides the item. */
export interface MapTools {
  /** `fetch` of the pool, view or session whose `map` it is, which ends with `signal`. */
  readonly fetch: PoolFetch
  /** Aborted when the map ends early: another item failed, or the caller aborted. For whatever else the work waits for. */
  readonly signal: AbortSignal
  /** Which item it is, from 0. */
  readonly index: number
}

/** What is mapped: pulled one item at a time, as there is room. */
export type MapItems<Item> = Iterable<Item> | AsyncIterable<Item>
/** What is done with each item. */
export type MapWork<Item, Result> = (item: Item, tools: MapTools) => Result | PromiseLike<Result>

/** `map` as the pool, its views and sessions have it. */
export interface PoolMap {
  <Item, Result>(
    items: MapItems<Item>,
    work: MapWork<Item, Result>,
    options: MapOptions & { stopOnError: false },
  ): Promise<PromiseSettledResult<Result>[]>
  <Item, Result>(items: MapItems<Item>, work: MapWork<Item, Result>, options?: MapOptions & { stopOnError?: true }): Promise<Result[]>
}

const isIterable = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)

const mapArguments = z.strictObject({
  items: z.custom<MapItems<unknown>>(isIterable, 'must be an iterable or an async iterable, and no string'),
  work: z.custom<MapWork<unknown, unknown>>((value) => typeof value === 'function', 'must be a function'),
  concurrency: count(1, 10_000).default(10),
  signal: z.instanceof(AbortSignal, { error: 'must be an AbortSignal' }).optional(),
  stopOnError: z.boolean('must be true or false').default(true),
})

/** Makes `map` over some `fetch`. */
export const createMap = (fetch: PoolFetch): PoolMap =>
  (async (items: unknown, work: unknown, options: MapOptions = {}) => {
    const parsed = mapArguments.safeParse({ ...options, items, work })
    if (!parsed.success) throw optionsError('map was called wrongly', parsed.error)
    const { concurrency, signal, stopOnError } = parsed.data
    signal?.throwIfAborted()
    const run = new MapRun(parsed.data.work, fetch, concurrency, stopOnError)
    const onAbort = (): void => run.stop(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await run.over(parsed.data.items)
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }) as PoolMap

const END: IteratorResult<never> = { done: true, value: undefined }

/** One `map` under way. */
class MapRun {
  readonly #work: MapWork<unknown, unknown>
  readonly #fetch: PoolFetch
  readonly #queue: PQueue
  readonly #stopOnError: boolean
  readonly #results: PromiseSettledResult<unknown>[] = []
  readonly #stop = new AbortController()
  /** Why it ends early; only the first reason counts. An error may be `undefined`. */
  #failure: { readonly reason: unknown } | null = null
  /** The source was asked for an item that it has not given yet. */
  #isOwed: boolean = false
  /** Ends the wait for the next item. */
  #wake: () => void = () => {}

  constructor(work: MapWork<unknown, unknown>, fetch: PoolFetch, concurrency: number, stopOnError: boolean) {
    this.#work = work
    this.#queue = new PQueue({ concurrency })
    this.#stopOnError = stopOnError
    const { signal } = this.#stop
    // One listener a request under way is no leak.
    setMaxListeners(0, signal)
    this.#fetch = (input, init) => fetch(input, { ...init, signal: both(signal, init?.signal ?? (input as Partial<Request>).signal) })
  }

  /** Resolves or rejects when nothing of it is under way any more. */
  async over(items: MapItems<unknown>): Promise<unknown[]> {
    const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
    try {
      await this.#pull(source)
    } catch (error) {
      this.stop(error)
    }
    await this.#queue.onIdle()
    if (this.#failure !== null) throw this.#failure.reason
    if (!this.#stopOnError) return this.#results
    return this.#results.map((result) => (result as PromiseFulfilledResult<unknown>).value)
  }

  stop(reason: unknown): void {
    if (this.#failure !== null) return
    this.#failure = { reason }
    this.#stop.abort(reason)
    this.#wake()
  }

  /** Takes an item when the one before has begun: at most one waits here, however many there are. */
  async #pull(source: Iterator<unknown> | AsyncIterator<unknown>): Promise<void> {
    for (let index = 0; ; index++) {
      await this.#queue.onSizeLessThan(1)
      const next = await this.#next(source)
      if (this.#failure !== null) break
      if (next.done) return
      void this.#queue.add(() => this.#one(next.value, index))
    }
    // What it throws here would hide why the map ended, as with `for await`. One that still owes an item may owe it for ever.
    const returned = Promise.resolve()
      .then(() => source.return?.())
      .catch(() => {})
    if (!this.#isOwed) await returned
  }

  #next(source: Iterator<unknown> | AsyncIterator<unknown>): Promise<IteratorResult<unknown>> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) {
        resolve(END)
        return
      }
      this.#wake = () => resolve(END)
      this.#isOwed = true
      Promise.resolve(source.next())
        .finally(() => {
          this.#isOwed = false
        })
        .then(resolve, reject)
    })
  }

  async #one(item: unknown, index: number): Promise<void> {
    if (this.#failure !== null) return
    try {
      const value = await this.#work(item, { fetch: this.#fetch, signal: this.#stop.signal, index })
      this.#results[index] = { status: 'fulfilled', value }
    } catch (reason) {
      if (this.#stopOnError) this.stop(reason)
      else this.#results[index] = { status: 'rejected', reason }
    }
  }
}

const both = (own: AbortSignal, given: AbortSignal | null | undefined): AbortSignal =>
  given === undefined || given === null ? own : AbortSignal.any([own, given])
