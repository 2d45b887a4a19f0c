/** A parser in a process of its own, with a pool that shares its limits by Redis. `startChild(..., [JSON of PoolOptions])`. */
import { MobilePool, type MobilePoolOptions } from '@mobilepool/sdk'
import { serveParent } from '../servers/child.ts'

const pool = new MobilePool(JSON.parse(process.argv[2] ?? '{}') as MobilePoolOptions)

async function fetched(url: string, signal: AbortSignal): Promise<string> {
  const response = await pool.fetch(url, { signal })
  await response.text()
  return String(response.status)
}

const calls = {
  /** So many workers fetch for so long, each one after the other. */
  async load(url: string, { workers, ms }: { workers: number; ms: number }) {
    const until = performance.now() + ms
    const ends: Record<string, number> = {}
    const work = async (): Promise<void> => {
      while (performance.now() < until) {
        const signal = AbortSignal.timeout(Math.max(1, Math.round(until - performance.now())))
        const end = await fetched(url, signal).catch((error: Error & { code?: string }) =>
          signal.aborted ? 'over' : `${error.code ?? error.name}: ${error.message}`,
        )
        ends[end] = (ends[end] ?? 0) + 1
      }
    }
    await Promise.all(Array.from({ length: workers }, work))
    return ends
  },
  /** Begins requests that are not waited for. */
  begin(url: string, count: number) {
    for (let request = 0; request < count; request++) void pool.fetch(url).catch(() => {})
    return count
  },
  /** The device that a request of the session gets. */
  async session(key: string, url: string) {
    const response = await pool.session(key).fetch(url)
    await response.text()
    return response.headers.get('x-mobilepool-device')
  },
  async close() {
    await pool.close()
    return null
  },
}
export type ParserCalls = typeof calls
serveParent(calls)
