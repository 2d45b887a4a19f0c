import { deviceRef, ipHistory, ipHistoryQuery, type ipStretch } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { HubError } from '../errors.ts'
import type { Device } from '../fleet/device.ts'
import type { IpRecord } from '../store/index.ts'
import { deviceOf, needs } from './access.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'
import { stamp, stampOrNull } from './stamp.ts'

/** `GET /api/v1/admin/devices/{id}/ips`: the addresses that a device had. */
export const deviceIpRoutes: Routes = (context) => (app, _options, done) => {
  const { store, now } = context
  app.get(
    '/api/v1/admin/devices/:id/ips',
    {
      onRequest: needs(context, 'admin'),
      schema: {
        summary: 'Addresses that the device had, newest first, with what is known of each',
        tags: ['devices'],
        params: z.object({ id: deviceRef }),
        querystring: ipHistoryQuery,
        response: { 200: ipHistory, ...problemReplies },
      },
    },
    async (request) => {
      const device = deviceOf(context, request.params.id)
      const { limit, after } = request.query
      const records = await store.ipHistory.list({ deviceId: device.id, limit: limit + 1, after: beginning(after), now: now() })
      const page = records.slice(0, limit)
      const last = page.at(-1)
      const next = records.length > limit && last ? `${last.firstSeen}_${last.id}` : null
      return { ips: page.map((record) => stretchJson(record, device)), next }
    },
  )
  done()
}

function beginning(after: string | undefined): { firstSeen: number; id: string } | null {
  if (after === undefined) return null
  const [, firstSeen, id] = /^(\d{1,15})_([0-9a-f-]{36})$/.exec(after) ?? []
  if (firstSeen !== undefined && id !== undefined && z.uuid().safeParse(id).success) return { firstSeen: Number(firstSeen), id }
  const message = 'must be "next" of the page before'
  throw new HubError('bad_request', `after ${message}`, { errors: [{ field: 'after', message }] })
}

function stretchJson(record: IpRecord, { exits }: Device): z.output<typeof ipStretch> {
  const lasting = [exits.v4, exits.v6].find((exit) => exit?.ip === record.ip && exit.firstSeen === record.firstSeen)
  return {
    ip: record.ip,
    first_seen: stamp(record.firstSeen),
    last_seen: stamp(Math.max(record.lastSeen, lasting?.lastSeen ?? 0)),
    is_current: lasting !== undefined,
    operator: record.operator,
    total_requests: record.requests,
    times_blocked: record.timesBlocked,
    blocked_at: stampOrNull(record.blockedAt),
    blocked_reason: record.blockedReason,
    is_blocked: record.blockedFor.length > 0,
    blocked_for: record.blockedFor,
    seen_before: record.before && { times: record.before.times, last_seen: stamp(record.before.lastSeen) },
  }
}
