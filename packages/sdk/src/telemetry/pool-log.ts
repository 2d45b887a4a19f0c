import type { PoolEvents } from '../events.ts'

/** Where a pool writes what happens to it: pino's logger fits, and so does `console`. */
export interface PoolLogger {
  /** Single requests, devices that come and go. */
  debug(fields: object, message: string): void
  /** What changes how the pool works: bans, rotations, returns. */
  info(fields: object, message: string): void
  /** What somebody should look at: ejections, failed rotations, a hub that is away. */
  warn(fields: object, message: string): void
  /** What does not heal by itself: a hub that refuses the key. */
  error(fields: object, message: string): void
}

type Level = keyof PoolLogger
type Line = readonly [Level, string]

/**
 * What each event is as a line of the log; null: none. Single requests show at `debug` only; what changes how the pool works is
 * `info`; what somebody should look at is `warn`; what does not heal by itself is `error`.
 */
const lines: { readonly [Name in keyof PoolEvents]: (event: PoolEvents[Name][0]) => Line | null } = {
  hedge: ({ attempt }) => ['debug', `hedge: device ${attempt.device} was slow to connect`],
  retry: ({ attempt }) => ['debug', `retry: device ${attempt.device} gave ${attempt.kind}`],
  ban: ({ device, site }) => ['info', `ban: ${site} refused device ${device}`],
  starved: ({ site }) => ['warn', `every device that is up is banned at ${site}`],
  eject: ({ device, faults }) => ['warn', `device ${device} is taken out after ${faults} failures in a row`],
  restore: ({ device }) => ['info', `device ${device} is back`],
  rotationStart: ({ device }) => ['debug', `device ${device} drains for a rotation`],
  rotationEnd: ({ device, outcome, oldIp, newIp, reason }) =>
    outcome === 'changed'
      ? ['info', `device ${device} rotated: ${oldIp} -> ${newIp}`]
      : ['warn', `device ${device} rotated without a new IP: ${outcome}${reason === undefined ? '' : ` (${reason})`}`],
  rotationError: ({ device, trigger }) => ['warn', `a rotation of device ${device} (${trigger}) could not begin`],
  usageDropped: ({ dropped, reason }) => ['warn', `${dropped} records of usage are lost: ${reason}`],
  deviceAdded: ({ device }) => ['debug', `device ${device} came`],
  deviceRemoved: ({ device }) => ['debug', `device ${device} went`],
  ipChanged: ({ device, oldIp, newIp }) => ['debug', `device ${device} has another exit IP: ${oldIp} -> ${newIp}`],
  balancerError: () => ['error', 'the balancer failed; requests are spread without it'],
  redis: (event) =>
    event.isUp ? ['info', 'Redis is there: limits are shared'] : ['warn', `Redis is away: ${event.reason}; limits are this process's own`],
  source: (event) =>
    event.isUp
      ? ['info', 'the hub is there']
      : [event.isRefusal ? 'error' : 'warn', `the hub is away: ${event.reason}; the last known fleet serves on`],
}

/** The same site starving is said once in so much time: every request that waits would say it. */
const STARVED_EVERY_MS = 60_000
const REMEMBERED_SITES = 1_000

/** Returns what writes events into a log. */
export function poolLog(logger: PoolLogger, now: () => number): (name: string, event: unknown) => void {
  const starvedAt = new Map<string, number>()
  const isRepeated = (site: string): boolean => {
    const last = starvedAt.get(site)
    if (last !== undefined && now() - last < STARVED_EVERY_MS) return true
    if (starvedAt.size >= REMEMBERED_SITES) starvedAt.clear()
    starvedAt.set(site, now())
    return false
  }
  return (name, event) => {
    const line = (lines[name as keyof PoolEvents] as ((event: unknown) => Line | null) | undefined)?.(event) ?? null
    if (line === null || (name === 'starved' && isRepeated((event as { site: string }).site))) return
    const [level, message] = line
    // `err` is what pino and bunyan call the field that they print with its stack.
    const { error, ...fields } = event as { error?: Error }
    logger[level](error === undefined ? { event: name, ...fields } : { event: name, ...fields, err: error }, `mobilepool: ${message}`)
  }
}
