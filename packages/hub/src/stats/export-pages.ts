import type { Device } from '../fleet/device.ts'
import type { LoggedRequest, RotationRecord, Store, UsageCounts, UsageHour } from '../store/index.ts'
import type { StatsRange } from './range.ts'
import { seriesOf } from './sums.ts'

/** Rows that are in memory at a time: some megabytes. */
const PAGE = 1_000
/** Rows of sums that are read at a time; a device has one for each hour. */
const HOURS_AT_ONCE = 20_000
const HOUR_MS = 3_600_000

type Reads = { statistics: Store['statistics']; rotations: Pick<Store['rotations'], 'newest'> }
type LogFilter = Parameters<Store['statistics']['log']>[0]
type Stint = Awaited<ReturnType<Store['statistics']['stints']>>[number]

/** Lines of the log, newest first, a page at a time. Nothing of the database is held between two pages. */
export async function* requestPages(
  { statistics }: Reads,
  filter: Omit<LogFilter, 'limit' | 'before'>,
): AsyncGenerator<LoggedRequest[], void> {
  let before: LoggedRequest | undefined
  do {
    const page = await statistics.log({ ...filter, before, limit: PAGE })
    yield page
    before = page.length < PAGE ? undefined : page.at(-1)
  } while (before)
}

/** Stretches at addresses that began within a time, newest first. */
export async function* stintPages(
  { statistics }: Reads,
  filter: { from: number; to: number; deviceIds?: readonly string[] | undefined },
): AsyncGenerator<Stint[], void> {
  let before: Stint | undefined
  do {
    const page = await statistics.stints({ ...filter, before, limit: PAGE })
    yield page
    before = page.length < PAGE ? undefined : page.at(-1)
  } while (before)
}

/** Rotations that were asked for within a time, newest first. */
export async function* rotationPages(
  { rotations }: Reads,
  { from, to, deviceId }: { from: number; to: number; deviceId?: string | undefined },
): AsyncGenerator<RotationRecord[], void> {
  let after: string | undefined
  do {
    const page = await rotations.newest({ deviceId, from, to, after, limit: PAGE })
    yield page
    after = page.length < PAGE ? undefined : page.at(-1)?.id
  } while (after !== undefined)
}

/** What went through each device in each bucket in which something did. */
export async function* devicePages(
  { statistics }: Reads,
  devices: readonly Device[],
  range: StatsRange,
): AsyncGenerator<{ device: Device; start: number; counts: UsageCounts }[], void> {
  const atOnce = Math.max(1, Math.floor((HOURS_AT_ONCE * HOUR_MS) / (range.to - range.from)))
  for (let begin = 0; begin < devices.length; begin += atOnce) {
    const some = devices.slice(begin, begin + atOnce)
    const hours = await statistics.hours({ deviceIds: some.map(({ id }) => id) }, range.from, range.to)
    const byDevice = new Map(some.map(({ id }): [string, UsageHour[]] => [id, []]))
    for (const hour of hours) byDevice.get(hour.key)?.push(hour)
    yield some.flatMap((device) => {
      const { series } = seriesOf(byDevice.get(device.id) ?? [], range)
      return series.filter(({ counts }) => counts.requests > 0).map((bucket) => ({ device, ...bucket }))
    })
  }
}
