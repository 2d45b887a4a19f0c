import type { MobilePool } from '@mobilepool/sdk'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { Fault } from './servers/fault.ts'
import { collect, Stage } from './stage.ts'

/** One of ten exits goes bad under load: what callers notice of it. How fast and how much slower is measured by bench/sdk.faults.ts. */
const stage = new Stage()

const CALLERS = 30

/** So many GETs, thirty at a time; how many ended with which status or error. */
async function callers(pool: MobilePool, url: string, requests: number): Promise<Record<string, number>> {
  const ends: Record<string, number> = {}
  let left = requests
  const call = async (): Promise<void> => {
    while (left-- > 0) {
      const end = await pool.fetch(url).then(
        async (response) => String(await statusOf(response)),
        (error: Error) => String('code' in error ? error.code : error),
      )
      ends[end] = (ends[end] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, call))
  return ends
}

/** The status, once the body is read. */
async function statusOf(response: Response): Promise<number> {
  await response.text()
  return response.status
}

describe.each([false, true])('tls %s', (tls) => {
  test('a dead exit: no caller sees an error, and it is taken out after three attempts in a row', async () => {
    const origin = await stage.origin({ tls })
    const fleet = await stage.fleet(10)
    await fleet[3]?.refuse()
    // Longer than the test takes on any machine: after the usual 10 s it is tried again, and taken out again.
    const pool = stage.pool(fleet, { eject: { baseMs: 60_000 } })
    const ejections = collect(pool, 'eject')
    expect(await callers(pool, origin.url, 300)).toEqual({ 200: 300 })
    expect(ejections).toMatchObject([{ device: 'exit-3', faults: 3 }])
    expect(pool.stats().devices[3]?.state).toBe('ejected')
  })

  test.each<Fault>([{ kind: 'hang_accept' }, { kind: 'hang_connect' }])(
    'an exit that hangs ($kind): no caller meets a time-out, and its first victim takes it out',
    async (fault) => {
      const origin = await stage.origin({ tls })
      const fleet = await stage.fleet(10)
      const pool = stage.pool(fleet, { timeouts: { connectMs: 2_500, firstByteMs: 2_500 }, eject: { baseMs: 60_000 } })
      expect(await callers(pool, origin.url, 100)).toEqual({ 200: 100 })
      const kazan = fleet[4]
      if (kazan === undefined) throw new Error('ten devices were asked for')
      kazan.fault = fault
      kazan.freeze()
      const [order, ejections] = [[] as string[], collect(pool, 'eject')]
      pool.on('retry', ({ attempt: { device, kind } }) => {
        if (device === 'exit-4' && kind.endsWith('timeout')) order.push('victim')
      })
      pool.on('eject', ({ device }) => order.push(`eject ${device}`))
      expect(await callers(pool, origin.url, 300)).toEqual({ 200: 300 })
      expect(ejections).toMatchObject([{ device: 'exit-4' }])
      // It takes a victim; the others are those who were on it at that moment: nobody new was given to it.
      expect(order[0]).toBe('victim')
      expect(order).toContain('eject exit-4')
      expect(order.length).toBeLessThanOrEqual(1 + 10)
      // A frozen connection does not see that its other end is gone.
      kazan.dropAll()
    },
  )
})

test('an exit that a site bans: after the threshold no 403 is delivered, and one rotation is asked for', async () => {
  const origin = await stage.origin()
  const fleet = await stage.fleet(10)
  const omsk = fleet[5]
  if (omsk === undefined) throw new Error('ten devices were asked for')
  let rotations = 0
  const devices = fleet.map((device) => ({
    id: device.id,
    url: device.url,
    rotate: async () => {
      rotations++
      device.egress = '127.11.6.2'
      return device.egress
    },
  }))
  const pool = stage.pool(fleet, { devices, rotate: { onBan: { count: 3 } } })
  const [bans, ends] = [collect(pool, 'ban'), collect(pool, 'rotationEnd')]
  origin.ban(omsk.egress)

  // Not repeated, so that every ban answer shows: posts in one wave, of which the banned exit gets its share of three.
  const wave = (): Promise<number[]> =>
    Promise.all(Array.from({ length: CALLERS }, () => pool.fetch(origin.url, { method: 'POST', body: 'x' }).then(statusOf)))
  expect((await wave()).filter((status) => status === 403)).toHaveLength(3)
  expect(bans).toHaveLength(3)
  for (let i = 0; i < 5; i++) expect(new Set(await wave())).toEqual(new Set([200]))
  await eventually('the rotation is over', () => ends.length > 0)
  expect(await callers(pool, origin.url, 200)).toEqual({ 200: 200 })
  expect(rotations).toBe(1)
  expect(ends).toMatchObject([{ device: 'exit-5', trigger: 'ban' }])
  expect(origin.seen.filter(({ remoteAddress }) => remoteAddress === '127.11.6.1')).toHaveLength(3)
  expect(origin.seen.filter(({ remoteAddress }) => remoteAddress === '127.11.6.2').length).toBeGreaterThan(0)
})
