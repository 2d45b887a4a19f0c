/** How a range is divided. */
export type Bucket = 'hour' | 'day'

/** What statistics are asked of, complete and right; times in ms. */
export interface StatsRange {
  /** Beginning of an hour, UTC. */
  from: number
  /** End of an hour, or now. */
  to: number
  bucket: Bucket
  timeZone: string
}

const HOUR_MS = 3_600_000

/**
 * Where the buckets of a range begin, oldest first: each hour, or each day of the zone. An hour (UTC) counts for the day in which it
 * begins. The first bucket begins with the range, which may be in the middle of a day.
 */
export function bucketStarts({ from, to, bucket, timeZone }: StatsRange): number[] {
  const starts: number[] = []
  const dayOf = bucket === 'day' ? localDay(timeZone) : null
  let day: string | null = null
  for (let hour = from; hour < to; hour += HOUR_MS) {
    const itsDay = dayOf?.(hour) ?? null
    if (dayOf === null || itsDay !== day) starts.push(hour)
    day = itsDay
  }
  return starts
}

/** Tells days of a zone apart. */
function localDay(timeZone: string): (time: number) => string {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
  return (time) => format.format(time)
}
