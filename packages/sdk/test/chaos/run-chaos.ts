import { type EventEmitter, getEventListeners, setMaxListeners } from 'node:events'
import { MobilePool } from '@mobilepool/sdk'
import { eventually } from '../eventually.ts'
import { localhostCertificate } from '../servers/certificate.ts'
import { type Child, startChild } from '../servers/child.ts'
import { watchLeftovers } from './leftovers.ts'
import { planRequest } from './planned-request.ts'
import { type End, sendPlanned } from './send-planned.ts'
import { Weather } from './weather.ts'
import type { WorldCalls } from './world.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly requests: number
  /** The run pauses between parts, with nothing in flight, and the heap is measured. @default 1 */
  readonly parts?: number
}

/** What came of a run. From `wrong` on everything must be empty. */
export interface ChaosReport {
  readonly seed: number
  readonly requests: number
  readonly durationMs: number
  /** How many requests ended how. */
  readonly ends: Readonly<Partial<Record<string, number>>>
  readonly retried: number
  /** Outcomes of rotations. */
  readonly rotations: Readonly<Partial<Record<string, number>>>
  readonly vanishings: number
  /** Non-idempotent requests that reached an origin. */
  readonly arrived: number
  /** Bytes of heap after each part, garbage collected; empty without `--expose-gc`. */
  readonly heap: readonly number[]
  /** Wrong bodies, answers to other requests, errors of no known kind, counts that do not add up. */
  readonly wrong: readonly string[]
  /** Requests that did not settle. */
  readonly stuck: readonly string[]
  /** Non-idempotent requests that reached an origin more than once. */
  readonly repeated: readonly string[]
  /** Sockets, timers and listeners that were still there after `close()`. */
  readonly left: Readonly<Record<string, number>>
}

/** More than the permits of ten devices, so that some requests always queue. */
const WORKERS = 120
/** Longer than every time-out of the pool and its callers together. */
const STUCK_AFTER_MS = 60_000
/** How long after `close()` undici's clock may still tick: it does so once a second, and stops by itself. */
const SETTLE_MS = 10_000

/** One chaos run: a pool, and in a process of its own a world of devices that misbehave, rotate and vanish, all by the seed. */
export async function runChaos({ seed, requests, parts = 1 }: ChaosOptions): Promise<ChaosReport> {
  const startedAt = performance.now()
  const world = await startChild<WorldCalls>(new URL('./world.ts', import.meta.url), [String(seed)])
  const watch = watchLeftovers()
  const processBefore = listenersOf(process)
  try {
    const { origins, devices } = await world.ask('urls')
    const shared = new AbortController()
    setMaxListeners(0, shared.signal)
    const pool = openPool(world, devices)
    const weather = new Weather(seed, pool, world, devices.map(idOf))
    const ends: Partial<Record<string, number>> = {}
    const [wrong, stuck, heap]: [string[], string[], number[]] = [[], [], []]
    const signals = new Set<AbortSignal>()
    let onOwnSignals = 0

    const send = async (number: number): Promise<void> => {
      const plan = planRequest(seed, number)
      const end = await inTime(sendPlanned(plan, `${origins[plan.isTls ? 1 : 0]}${plan.path}`, pool, shared.signal, signals))
      if (end === undefined) stuck.push(plan.id)
      else if (end.kind === 'wrong') wrong.push(`${plan.client} ${plan.method} ${plan.id}: ${end.what}`)
      else ends[end.what] = (ends[end.what] ?? 0) + 1
      weather.pass()
    }
    for (let part = 0; part < parts; part++) {
      let next = Math.floor((requests * part) / parts)
      const end = Math.floor((requests * (part + 1)) / parts)
      const work = async (): Promise<void> => {
        while (next < end) await send(next++)
      }
      await Promise.all(Array.from({ length: WORKERS }, work))
      for (const signal of signals) onOwnSignals += listenersOf(signal)
      signals.clear()
      if (globalThis.gc !== undefined) heap.push(heapAfterGc(globalThis.gc))
    }

    await weather.clearUp()
    const { started, inFlight, queued, retried, ...settled } = pool.stats().requests
    if (started !== settled.answered + settled.failed + settled.aborted)
      wrong.push(`counts do not add up: ${JSON.stringify(pool.stats().requests)}`)
    // A connection that lost against a hedge holds its device's place until it stands or its time is over.
    await eventually('every device is free', () => pool.stats().devices.every((device) => device.inFlight === 0)).catch(() => {})
    if (inFlight + queued > 0 || pool.stats().devices.some((device) => device.inFlight > 0))
      wrong.push('a request is still counted as in flight')
    await pool.close()
    const left = await whatIsLeft(async () => ({
      'connections at devices': await world.ask('openSockets'),
      'abort listeners of a signal for many': listenersOf(shared.signal),
      'abort listeners of signals for one': onOwnSignals,
      'listeners of the process': listenersOf(process) - processBefore,
      'listeners of the pool': listenersOf(pool.dispatcher as unknown as EventEmitter),
      ...watch.left(),
    }))
    const { arrived, repeated } = await world.ask('repeated')
    const { rotations, vanishings } = weather
    const durationMs = Math.round(performance.now() - startedAt)
    return { seed, requests, durationMs, ends, retried, rotations, vanishings, arrived, heap, wrong, stuck, repeated, left }
  } finally {
    watch.stop()
    await world.stop()
  }
}

/** Everybody who listens to it, to whatever. */
const listenersOf = (target: EventEmitter | AbortSignal): number =>
  target instanceof AbortSignal
    ? getEventListeners(target, 'abort').length
    : target.eventNames().reduce((sum, name) => sum + target.listenerCount(name), 0)

const idOf = (_url: string, index: number): string => `device-${index}`

/** Time-outs are short, so that a run meets every one of them often. */
function openPool(world: Child<WorldCalls>, devices: readonly string[]): MobilePool {
  return new MobilePool({
    devices: devices.map((url, index) => ({ id: idOf(url, index), url, rotate: () => world.ask('rotate', index) })),
    requestTls: { ca: localhostCertificate.cert },
    timeouts: { connectMs: 500, firstByteMs: 700 },
    eject: { baseMs: 300, maxMs: 1_000 },
    ban: { quarantineMs: 300 },
    rotate: { drainMs: 300 },
    queue: { timeoutMs: 20_000 },
  })
}

/** The end of a request; undefined when it does not come. */
function inTime(ending: Promise<End>): Promise<End | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), STUCK_AFTER_MS)
    ending.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function heapAfterGc(gc: () => void): number {
  gc()
  gc()
  return process.memoryUsage().heapUsed
}

/** What `look` still finds once everything had time to end: names and counts, without those that are zero. */
async function whatIsLeft(look: () => Promise<Record<string, number>>): Promise<Record<string, number>> {
  const until = performance.now() + SETTLE_MS
  for (;;) {
    globalThis.gc?.()
    const left = Object.fromEntries(Object.entries(await look()).filter(([, count]) => count > 0))
    if (Object.keys(left).length === 0 || performance.now() > until) return left
  }
}
