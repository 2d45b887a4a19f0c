import { afterEach, describe, expect, it, vi } from 'vitest'
import { SessionLeases } from './session-leases.ts'

afterEach(() => void vi.useRealTimers())

/** A pool that keeps book of its leases. */
function bookkeeper() {
  const open: string[] = []
  const taken: string[] = []
  return {
    open,
    taken,
    isRefusing: false,
    async lease({ session }: { session: string }) {
      if (this.isRefusing) throw new Error('no device')
      taken.push(session)
      open.push(session)
      return { proxyUrl: `http://127.0.0.1:1/${taken.length}`, release: () => void open.splice(open.indexOf(session), 1) }
    },
  }
}

describe('SessionLeases', () => {
  it('leases once a session, also for calls at the same time', async () => {
    const pool = bookkeeper()
    const leases = new SessionLeases(pool)
    const [one, again, other] = await Promise.all([leases.proxyUrl('a'), leases.proxyUrl('a'), leases.proxyUrl('b')])
    expect([one === again, one === other, pool.taken]).toEqual([true, false, ['a', 'b']])
    await leases.close()
    expect(pool.open).toEqual([])
    await expect(leases.proxyUrl('a')).rejects.toThrow('closed')
  })

  it('gives the lease of the session back that was not used longest, beyond the limit', async () => {
    const pool = bookkeeper()
    const leases = new SessionLeases(pool, { maxSessions: 2 })
    for (const session of ['a', 'b', 'a', 'c']) await leases.proxyUrl(session)
    await vi.waitFor(() => expect(pool.open).toEqual(['a', 'c']))
    expect(leases.size).toBe(2)
  })

  it('gives a lease back that was not used for its time to live, and each use prolongs it', async () => {
    vi.useFakeTimers()
    const pool = bookkeeper()
    const leases = new SessionLeases(pool, { ttlMs: 1_000 })
    await leases.proxyUrl('a')
    await vi.advanceTimersByTimeAsync(900)
    await leases.proxyUrl('a')
    await vi.advanceTimersByTimeAsync(900)
    expect(pool.open).toEqual(['a'])
    await vi.advanceTimersByTimeAsync(200)
    expect([pool.open, leases.size]).toEqual([[], 0])
  })

  it('after a refusal asks again', async () => {
    const pool = bookkeeper()
    const leases = new SessionLeases(pool)
    pool.isRefusing = true
    await expect(leases.proxyUrl('a')).rejects.toThrow('no device')
    pool.isRefusing = false
    expect(await leases.proxyUrl('a')).toContain('http://')
    expect(leases.size).toBe(1)
  })

  it.each([{ ttlMs: 0 }, { maxSessions: 1.5 }, { ttlMs: Number.NaN }])('refuses %j', (options) => {
    expect(() => new SessionLeases(bookkeeper(), options)).toThrow(RangeError)
  })
})
