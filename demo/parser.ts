/** The scraper: what a user's program would be, with a tally that the verdict can check. */
import type { MobilePool } from '@mobilepool/sdk'
import type { Page, TargetSite } from './target-site.ts'

export interface Tally {
  /** Request id -> how often its promise was settled. */
  readonly settled: Map<string, number>
  readonly started: number
  readonly answered: number
  /** What went wrong, one line each; the first few are shown. */
  readonly errors: string[]
  /** Exit IPs that the target saw behind genuine answers. */
  readonly exitIps: Set<string>
  /** Device -> genuine answers. */
  readonly byDevice: Map<string, number>
}

export interface Parser {
  readonly tally: Tally
  /** Starts no new request and waits for those in flight. */
  stop(): Promise<void>
}

interface ParserOptions {
  workers: number
  /** Pause of a worker between two requests. */
  pauseMs: number
}

/** Every tenth request is an order: a POST that may be repeated because it carries an Idempotency-Key. */
const orderEvery = 10

export function startParser(pool: MobilePool, target: TargetSite, { workers, pauseMs }: ParserOptions): Parser {
  const tally = {
    settled: new Map<string, number>(),
    started: 0,
    answered: 0,
    errors: [] as string[],
    exitIps: new Set<string>(),
    byDevice: new Map<string, number>(),
  }
  let running = true

  async function fetchPage(id: string, isOrder: boolean): Promise<void> {
    const response = await fetch(`${target.url}/page/${id}`, {
      dispatcher: pool,
      ...(isOrder ? { method: 'POST', body: `order ${id}`, headers: { 'idempotency-key': id } } : {}),
    })
    const text = await response.text()
    if (response.status !== 200) throw new Error(`page ${id}: status ${response.status}`)
    const page = JSON.parse(text || '{}') as Page
    if (page.id !== id) throw new Error(`page ${id}: the answer is that of ${page.id ? `page ${page.id}` : 'nobody (empty)'}`)
    if (!target.isGenuine(page)) throw new Error(`page ${id}: the answer is not what the site wrote`)
    tally.answered += 1
    tally.exitIps.add(page.address)
    const device = response.headers.get('x-mobilepool-device') ?? 'unknown'
    tally.byDevice.set(device, (tally.byDevice.get(device) ?? 0) + 1)
  }

  async function work(): Promise<void> {
    while (running) {
      tally.started += 1
      const number = tally.started
      const id = String(number)
      try {
        await fetchPage(id, number % orderEvery === 0)
      } catch (error) {
        tally.errors.push(explain(error))
      }
      tally.settled.set(id, (tally.settled.get(id) ?? 0) + 1)
      if (running) await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  const working = Array.from({ length: workers }, work)
  return {
    tally,
    async stop() {
      running = false
      await Promise.all(working)
    },
  }
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
