import { ipStats, ipStatsQuery, requestLog, requestLogQuery } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import type { Caller } from '../auth/caller.ts'
import type { LogPlace } from '../store/index.ts'
import { certainCaller, deviceOf, needs } from './access.ts'
import type { ApiContext, Routes } from './context.ts'
import { problemReplies } from './problem.ts'
import { stamp } from './stamp.ts'
import { exactRange, wrong } from './stats-query.ts'
import { loggedJson, rangeJson } from './stats-wire.ts'

/** `/api/v1/stats/requests` and `/api/v1/stats/ips`: the log, and the addresses that the fleet had. */
export const statsRequestRoutes: Routes = (context) => (app, _options, done) => {
  const { store, now } = context
  const onRequest = needs(context, 'read', 'proxy', 'admin')
  const tags = ['statistics']

  app.get(
    '/api/v1/stats/requests',
    {
      onRequest,
      schema: {
        summary: 'The request log, newest first: an admin’s whole, everybody else’s own',
        tags,
        querystring: requestLogQuery,
        response: { 200: requestLog, ...problemReplies },
      },
    },
    async (request) => {
      const { limit, after, ...query } = request.query
      const range = exactRange(query, now())
      const filter = { ...range, ...logFilterOf(context, query), reporter: ownLines(certainCaller(request)) }
      const lines = await store.statistics.log({ ...filter, before: logPlaceOf(after), limit: limit + 1 })
      const page = lines.slice(0, limit)
      const last = page.at(-1)
      return { ...rangeJson(range), requests: page.map(loggedJson), next: lines.length > limit && last ? `${last.at}_${last.id}` : null }
    },
  )

  app.get(
    '/api/v1/stats/ips',
    {
      onRequest,
      schema: {
        summary: 'Addresses that the fleet had, those that came most often first; unique and repeated ones counted',
        tags,
        querystring: ipStatsQuery,
        response: { 200: ipStats, ...problemReplies },
      },
    },
    async (request) => {
      const { limit, after, device, repeated: isRepeated, ...query } = request.query
      const range = exactRange(query, now())
      const offset = offsetOf(after)
      const deviceIds = device === undefined ? undefined : [deviceOf(context, device).id]
      const { unique, repeated, exits } = await store.statistics.exits({ ...range, deviceIds, isRepeated, limit, offset })
      const end = offset + exits.length
      return {
        ...rangeJson(range),
        unique,
        repeated,
        ips: exits.map((use) => ({
          ip: use.exit,
          times: use.stints,
          devices: use.devices,
          first_seen: stamp(use.firstSeen),
          last_seen: stamp(use.lastSeen),
          total_requests: use.requests,
          times_blocked: use.timesBlocked,
        })),
        next: end < (isRepeated ? repeated : unique) && exits.length > 0 ? String(end) : null,
      }
    },
  )
  done()
}

/**
 * Whose lines of the log a caller sees; undefined: all of them. An admin, and a `read` key that an admin made for nobody, see all;
 * users and parsers what they reported themselves: targets and client addresses are other people's business.
 */
export const ownLines = ({ scope, userId, keyId, id }: Caller): string | undefined =>
  scope === 'admin' || (scope === 'read' && userId === null) ? undefined : (userId ?? keyId ?? id)

/** The filters of the log that a query has. A device that is gone is found by its UUID: its lines outlive it. */
export function logFilterOf(
  context: Pick<ApiContext, 'fleet'>,
  query: Omit<z.output<typeof requestLogQuery>, 'limit' | 'after' | 'from' | 'to' | 'period'>,
) {
  const { device, site, outcome, status, exit_ip: exitIp, session } = query
  const isGone = device !== undefined && !context.fleet.find(device) && z.uuid().safeParse(device).success
  const deviceIds = device === undefined ? undefined : [isGone ? device : deviceOf(context as ApiContext, device).id]
  return { deviceIds, site, outcome, status, exitIp, session }
}

function logPlaceOf(after: string | undefined): LogPlace | undefined {
  if (after === undefined) return undefined
  const [, at, id] = /^(\d{1,15})_([0-9a-f-]{36})$/.exec(after) ?? []
  if (at !== undefined && id !== undefined && z.uuid().safeParse(id).success) return { at: Number(at), id }
  throw wrong('after', 'must be "next" of the page before')
}

function offsetOf(after: string | undefined): number {
  if (after === undefined) return 0
  if (/^\d{1,9}$/.test(after)) return Number(after)
  throw wrong('after', 'must be "next" of the page before')
}
