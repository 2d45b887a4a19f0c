import { expect, test } from 'vitest'
import { VirtualClock } from '../../../test/virtual-clock.ts'
import type { BanJson, BanReportJson } from '../../contract/index.ts'
import { Quarantine } from '../../core/quarantine.ts'
import { MobilePoolError } from '../../errors.ts'
import { HubProblem } from './hub-client.ts'
import { SharedBans } from './shared-bans.ts'

const unreachable = new MobilePoolError('MP_HUB_UNREACHABLE', 'the hub does not answer', { phase: 'hub' })
const tooOld = new HubProblem({ type: 'about:blank', title: 'no', status: 404, code: 'not_found', detail: 'there is no such route' })

function sharing() {
  const clock = new VirtualClock()
  const quarantine = new Quarantine({ quarantineMs: 600_000 })
  const reports: BanReportJson[] = []
  const hub: { error: Error | null; bans: BanJson[] } = { error: null, bans: [] }
  let learnt = 0
  const shared = new SharedBans({
    client: {
      async reportBans(report) {
        reports.push(report)
        if (hub.error !== null) throw hub.error
      },
      async bans() {
        if (hub.error !== null) throw hub.error
        return { bans: hub.bans }
      },
    },
    quarantine,
    clock,
    random: () => 1,
    backoff: { firstMs: 1_000, longestMs: 30_000 },
    onLearnt: () => void learnt++,
  })
  const exit = (ip: string) => quarantine.exit(ip, clock.now())
  const findOut = (ip: string, site = 'shop.com'): void => {
    quarantine.ban(exit(ip), site, undefined, clock.now())
    quarantine.confirm(exit(ip), site, clock.now())
  }
  const until = (ip: string, site = 'shop.com'): number => exit(ip).quarantinedUntil(site, clock.now())
  return { clock, quarantine, reports, hub, shared, exit, findOut, until, learnt: () => learnt }
}

const ban = (over: Partial<BanJson> = {}): BanJson => ({
  exit_ip: '127.10.5.1',
  site: 'shop.com',
  until: new Date(600_000).toISOString(),
  lasts_ms: 600_000,
  rule: null,
  ...over,
})

test('only what is confirmed is told, in one report for what comes close together', async () => {
  const { clock, quarantine, reports, exit, findOut } = sharing()
  quarantine.ban(exit('127.10.7.1'), 'shop.com', undefined, 0)
  await clock.advance(10_000)
  expect(reports).toEqual([])
  findOut('127.10.5.1')
  findOut('127.10.5.1', 'other.com')
  await clock.advance(200)
  expect(reports).toMatchObject([
    {
      bans: [
        { exit_ip: '127.10.5.1', site: 'shop.com', lasts_ms: 599_800 },
        { exit_ip: '127.10.5.1', site: 'other.com', lasts_ms: 599_800 },
      ],
    },
  ])
})

test('what others found is learnt, not told again, and no longer than either clock says', async () => {
  const { clock, reports, shared, until, learnt } = sharing()
  shared.hear({ reporter: 'another pool', bans: [ban(), ban({ exit_ip: '127.10.7.1', lasts_ms: 1_000 })] })
  expect([until('127.10.5.1'), until('127.10.7.1')]).toEqual([600_000, 1_000])
  expect(learnt()).toBe(1)
  shared.hear({ reporter: 'another pool', bans: [ban({ lasts_ms: 0 })] })
  expect(until('127.10.5.1')).toBe(0)
  await clock.advance(10_000)
  expect(reports).toEqual([])
})

test('its own report that comes back changes nothing, even when the ban was lifted meanwhile', async () => {
  const { clock, quarantine, reports, shared, exit, findOut, until, learnt } = sharing()
  findOut('127.10.5.1')
  await clock.advance(200)
  quarantine.lift(exit('127.10.5.1'), 'shop.com', clock.now())
  shared.hear({ reporter: reports[0]?.reporter ?? '', bans: [ban()] })
  expect([until('127.10.5.1'), learnt()]).toEqual([0, 0])
  await clock.advance(200)
  expect(reports[1]?.bans).toMatchObject([{ exit_ip: '127.10.5.1', lasts_ms: 0 }])
})

test('while the hub is away the latest word of each pair waits, and what is over by then is never told', async () => {
  const { clock, reports, hub, findOut } = sharing()
  hub.error = unreachable
  findOut('127.10.5.1')
  await clock.advance(300_000)
  findOut('127.10.7.1')
  hub.error = null
  const tried = reports.length
  await clock.advance(60_000)
  expect(
    reports
      .slice(tried)
      .flatMap(({ bans }) => bans.map(({ exit_ip: ip }) => ip))
      .toSorted(),
  ).toEqual(['127.10.5.1', '127.10.7.1'])
  hub.error = unreachable
  findOut('127.10.3.1')
  await clock.advance(700_000)
  hub.error = null
  const then = reports.length
  await clock.advance(60_000)
  expect(reports).toHaveLength(then)
})

test('ten thousand bans while the hub is away are bounded, and go in reports of a hundred', async () => {
  const { clock, reports, hub, findOut } = sharing()
  hub.error = unreachable
  for (let n = 0; n < 10_000; n++) findOut('127.10.5.1', `site-${n}.com`)
  await clock.advance(1_000)
  hub.error = null
  const tried = reports.length
  await clock.advance(120_000)
  expect(reports.slice(tried).flatMap(({ bans }) => bans).length).toBeLessThanOrEqual(2_000)
  expect(Math.max(...reports.map(({ bans }) => bans.length))).toBe(100)
})

test('a hub that is too old is told once and taught nothing by', async () => {
  const { clock, reports, hub, shared, findOut, learnt } = sharing()
  hub.error = tooOld
  findOut('127.10.5.1')
  await shared.catchUp()
  await clock.advance(600_000)
  expect([reports.length, learnt()]).toEqual([1, 0])
})

test('after a gap everything that lasts is learnt; after close nothing', async () => {
  const { clock, reports, hub, shared, findOut, until } = sharing()
  hub.bans = [ban({ lasts_ms: 5_000 })]
  await shared.catchUp()
  expect(until('127.10.5.1')).toBe(5_000)
  await shared.close()
  hub.bans = [ban({ exit_ip: '127.10.7.1' })]
  await shared.catchUp()
  findOut('127.10.3.1')
  await clock.advance(10_000)
  expect([until('127.10.7.1'), reports.length, clock.pending]).toEqual([0, 0, 0])
})
