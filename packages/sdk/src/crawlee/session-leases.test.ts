import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LeaseOptions } from '../clients/lease-options.ts'
import { type CrawlOptions, parseCrawlOptions } from './crawl-options.ts'
import { type CrawlLease, SessionLeases } from './session-leases.ts'

afterEach(() => void vi.useRealTimers())

/** A pool that keeps book of its leases, and can end them. */
class Bookkeeper {
  readonly asked: LeaseOptions[] = []
  readonly open = new Map<string, AbortController>()
  isRefusing: boolean = false

  async lease(options: LeaseOptions): Promise<CrawlLease> {
    this.asked.push(options)
    const proxyUrl = `http://127.0.0.1:1/${this.asked.length}`
    if (this.isRefusing) await new Promise((_resolve, reject) => options.signal?.addEventListener('abort', () => reject(new Error('gone'))))
    const over = new AbortController()
    this.open.set(proxyUrl, over)
    const release = async (): Promise<void> => {
      this.open.delete(proxyUrl)
      over.abort()
    }
    const report = () => ({ deviceId: proxyUrl, exitIp: null, site: 'a.example', until: null, isNews: true })
    return { proxyUrl, signal: over.signal, release, report }
  }

  lose(proxyUrl: string): void {
    this.open.get(proxyUrl)?.abort()
  }
}

function leasesOf(options: CrawlOptions = {}, isOver: boolean = false) {
  const pool = new Bookkeeper()
  const lost: string[] = []
  const leases = new SessionLeases(pool, parseCrawlOptions(options), (session) => {
    lost.push(session)
    return isOver
  })
  const urlOf = (session: string | null, url?: string): Promise<string> => leases.proxyUrl(session, url)
  return { pool, leases, lost, urlOf }
}

describe('SessionLeases', () => {
  it('leases once a session, also for calls at the same time, and anew for each that has no name', async () => {
    const { pool, leases, urlOf } = leasesOf()
    const urls = await Promise.all([urlOf('a'), urlOf('a'), urlOf('b'), urlOf(null), urlOf(null)])
    expect(new Set(urls).size).toBe(4)
    expect(urls[0]).toBe(urls[1])
    await leases.close()
    expect(pool.open.size).toBe(0)
    await expect(urlOf('a')).rejects.toMatchObject({ code: 'MP_CLOSED' })
  })

  it('passes on what leases are to be, the site of the first request, and never a session of the pool', async () => {
    const { pool, urlOf } = leasesOf({ lease: { filter: { operator: 'MTS' }, onIpChange: 'follow' } })
    await urlOf('a', 'https://a.example/1')
    const other = leasesOf({ lease: { site: 'b.example' } })
    await other.urlOf('a', 'https://a.example/1')
    expect(pool.asked).toMatchObject([{ filter: { operator: 'MTS' }, onIpChange: 'follow', site: 'https://a.example/1' }])
    expect(other.pool.asked).toMatchObject([{ site: 'b.example' }])
    expect(pool.asked[0]).not.toHaveProperty('session')
  })

  it('gives the lease back of the session that was not used longest, beyond the limit', async () => {
    vi.useFakeTimers()
    const { pool, leases, urlOf } = leasesOf({ maxSessions: 2 })
    const urls: string[] = []
    for (const session of ['a', 'b', 'a', 'c']) urls.push(await urlOf(session))
    expect(leases.size).toBe(2)
    await vi.advanceTimersByTimeAsync(59_000)
    expect([...pool.open.keys()]).toEqual([urls[0], urls[1], urls[3]])
    await vi.advanceTimersByTimeAsync(1_000)
    expect([...pool.open.keys()]).toEqual([urls[0], urls[3]])
  })

  it('gives a lease back that was not used for its time to live, and each use prolongs it', async () => {
    vi.useFakeTimers()
    const { pool, leases, urlOf, lost } = leasesOf({ ttlMs: 1_000 })
    await urlOf('a')
    await vi.advanceTimersByTimeAsync(900)
    await urlOf('a')
    await vi.advanceTimersByTimeAsync(900)
    expect(leases.size).toBe(1)
    await vi.advanceTimersByTimeAsync(200)
    expect([pool.open.size, leases.size]).toEqual([1, 0])
    await vi.advanceTimersByTimeAsync(60_000)
    expect([pool.open.size, leases.size, lost]).toEqual([0, 0, []])
  })

  it('takes another when a lease is lost, and says whose it was', async () => {
    const { pool, leases, urlOf, lost } = leasesOf()
    const first = await urlOf('a')
    pool.lose(first)
    expect([lost, leases.size]).toEqual([['a'], 0])
    expect(await urlOf('a')).not.toBe(first)
    pool.lose(await urlOf(null))
    expect(lost).toEqual(['a'])
  })

  it('gives a session that is over no other: one whose lease is lost where that ends it, and one that is ended', async () => {
    const { pool, leases, urlOf, lost } = leasesOf({}, true)
    pool.lose(await urlOf('a'))
    await urlOf('b')
    leases.end('b')
    for (const session of ['a', 'b']) await expect(urlOf(session)).rejects.toMatchObject({ code: 'MP_LEASE_LOST' })
    expect([lost, leases.size]).toEqual([['a'], 0])
    expect(await urlOf('c')).toContain('http://')
    expect(pool.open.size).toBe(3)
    await leases.close()
    expect(pool.open.size).toBe(0)
  })

  it('no longer waits for a device when the session is retired, and asks again for the next one', async () => {
    const { pool, leases, urlOf } = leasesOf()
    pool.isRefusing = true
    const refused = expect(urlOf('a')).rejects.toThrow('gone')
    await leases.retire('a')
    await refused
    pool.isRefusing = false
    expect(await urlOf('a')).toContain('http://')
    expect(leases.size).toBe(1)
  })

  it('reports about leases that are held, and about those that were', async () => {
    const { leases, urlOf } = leasesOf()
    const url = await urlOf('a')
    expect(leases.report(url, { banned: true }).deviceId).toBe(url)
    leases.endUrl(url)
    expect(leases.size).toBe(0)
    expect(leases.report(url, { banned: true }).deviceId).toBe(url)
    expect(() => leases.report('http://127.0.0.1:1/99', { banned: true })).toThrow('no lease of late had this proxy URL')
  })
})

it.each([
  [{ ttlMs: 0 }, 'ttlMs: must be at least 1'],
  [{ maxSessions: 1.5 }, 'maxSessions: must be a whole number'],
  [{ sessions: 1 }, 'sessions: there is no such option'],
  [{ lease: { operator: 'MTS' } }, 'operator: there is no such option'],
  [{ lease: { session: 'a' } }, 'lease.session: Crawlee has sessions of its own'],
  [{ lease: { proxy: false } }, "lease.proxy: must be 'local' or 'direct'"],
  [{ lease: { signal: AbortSignal.timeout(1) } }, 'lease.signal: is not for all leases'],
])('options %o are refused: %s', (options, complaint) => {
  expect(() => parseCrawlOptions(options as never)).toThrow(
    expect.objectContaining({ code: 'MP_OPTIONS', message: expect.stringContaining(complaint) }),
  )
})
