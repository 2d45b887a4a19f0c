import { Readable } from 'node:stream'
import { statsExportQuery } from '@mobilepool/sdk/contract'
import { stringify } from 'csv-stringify/sync'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { isPending } from '../fleet/device.ts'
import { devicePages, requestPages, rotationPages, stintPages } from '../stats/export-pages.ts'
import { certainCaller, deviceOf, needs } from './access.ts'
import type { ApiContext, Routes } from './context.ts'
import { problemReplies } from './problem.ts'
import { stamp, stampOrNull } from './stamp.ts'
import { dividedRange, exactRange, wrong } from './stats-query.ts'
import { logFilterOf, ownLines } from './stats-requests.ts'
import { loggedJson, sumsJson } from './stats-wire.ts'

type Row = Record<string, string | number | null>
type Query = z.output<typeof statsExportQuery>

const ONLY_OF_THE_LOG = ['site', 'outcome', 'status', 'exit_ip', 'session'] as const

/** `GET /api/v1/stats/export`: the log, sums, addresses or rotations as a file, sent as it is read. */
export const statsExportRoutes: Routes = (context) => (app, _options, done) => {
  app.get(
    '/api/v1/stats/export',
    {
      onRequest: needs(context, 'read', 'proxy', 'admin'),
      schema: {
        summary: 'Requests, devices’ sums, addresses or rotations of a time as CSV or NDJSON, newest first',
        tags: ['statistics'],
        querystring: statsExportQuery,
        response: {
          200: {
            description: 'The file',
            content: { 'text/csv': { schema: z.string() }, 'application/x-ndjson': { schema: z.string() } },
          },
          ...problemReplies,
        },
      },
    },
    async (request, reply) => {
      const { of, format } = request.query
      const pages = rowsOf(context, request.query, request)
      // Before the head of the answer, so that what goes wrong at once is told as a problem.
      const first = await pages.next()
      const text = format === 'csv' ? csv(COLUMNS[of]) : ndjson
      reply.header('cache-control', 'no-store')
      reply.header('content-disposition', `attachment; filename="${of}.${format}"`)
      reply.type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson; charset=utf-8')
      async function* whole(): AsyncGenerator<string> {
        yield text(first.done ? [] : first.value, true)
        for await (const page of pages) yield text(page, false)
      }
      return sendPages(reply, whole())
    },
  )
  done()
}

/** One page waits for the reader while the next is read. */
const sendPages = (reply: FastifyReply, text: AsyncIterable<string>): FastifyReply => reply.send(Readable.from(text, { highWaterMark: 1 }))

const ndjson = (rows: readonly Row[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

/** Cells that a spreadsheet would run as formulas begin with a quote. */
const csv =
  (columns: readonly string[]) =>
  (rows: readonly Row[], isFirst: boolean): string =>
    stringify([...rows], { header: isFirst, columns: [...columns], escape_formulas: true })

async function* rowsOf(context: ApiContext, query: Query, request: FastifyRequest): AsyncGenerator<Row[], void> {
  const { store, fleet, now } = context
  const { of } = query
  const alien = of === 'requests' ? undefined : ONLY_OF_THE_LOG.find((field) => query[field] !== undefined)
  if (alien !== undefined) throw wrong(alien, 'goes with of=requests only')
  if (of === 'requests') {
    const filter = { ...exactRange(query, now()), ...logFilterOf(context, query), reporter: ownLines(certainCaller(request)) }
    for await (const page of requestPages(store, filter)) yield page.map(loggedJson)
    return
  }
  const device = query.device === undefined ? null : deviceOf(context, query.device)
  if (of === 'devices') {
    const devices = device ? [device] : fleet.devices.filter((one) => !isPending(one))
    for await (const page of devicePages(store, devices, dividedRange(query, now())))
      yield page.map(({ device: { id, name, operator, region }, start, counts }) => ({
        start: stamp(start),
        device_id: id,
        device: name,
        operator,
        region,
        ...sumsJson(counts),
      }))
  } else if (of === 'ips') {
    const deviceIds = device ? [device.id] : undefined
    for await (const page of stintPages(store, { ...exactRange(query, now()), deviceIds }))
      yield page.map((stint) => ({
        device: stint.deviceName,
        ip: stint.ip,
        first_seen: stamp(stint.firstSeen),
        last_seen: stamp(stint.lastSeen),
        operator: stint.operator,
        total_requests: stint.requests,
        times_blocked: stint.timesBlocked,
        blocked_reason: stint.blockedReason,
      }))
  } else
    for await (const page of rotationPages(store, { ...exactRange(query, now()), deviceId: device?.id }))
      yield page.map((rotation) => ({
        id: rotation.id,
        device: rotation.deviceName,
        trigger: rotation.trigger,
        method: rotation.method,
        state: rotation.state,
        old_ip: rotation.oldIp,
        new_ip: rotation.newIp,
        reason: rotation.reason,
        detail: rotation.detail,
        attempts: rotation.attempt,
        created_at: stamp(rotation.createdAt),
        started_at: stampOrNull(rotation.startedAt),
        ended_at: stampOrNull(rotation.endedAt),
      }))
}

const COLUMNS: Record<Query['of'], readonly string[]> = {
  requests: [
    ...['at', 'device', 'exit_ip', 'target', 'site', 'method', 'status', 'outcome', 'error', 'attempt', 'session', 'duration_ms'],
    ...['bytes_up', 'bytes_down', 'user_agent', 'client_ip', 'device_id', 'id'],
  ],
  devices: [
    ...['start', 'device', 'operator', 'region', 'requests', 'successful', 'banned', 'failed', 'success_rate', 'avg_ms', 'p50_ms'],
    ...['p95_ms', 'p99_ms', 'bytes_up', 'bytes_down', 'device_id'],
  ],
  ips: ['device', 'ip', 'first_seen', 'last_seen', 'operator', 'total_requests', 'times_blocked', 'blocked_reason'],
  rotations: [
    ...['device', 'trigger', 'method', 'state', 'old_ip', 'new_ip', 'reason', 'detail', 'attempts', 'created_at', 'started_at'],
    ...['ended_at', 'id'],
  ],
}
