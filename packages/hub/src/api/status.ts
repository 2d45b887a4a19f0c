import { echoReply, statusQuery, statusReply } from '@mobilepool/sdk/contract'
import { pageOf } from '../fleet/selection.ts'
import { mayBring } from './access.ts'
import { addressOf } from './client-address.ts'
import type { Routes } from './context.ts'
import { beginningOf, listText, plainJson, sendJson } from './device-list.ts'
import { statusLine } from './device-wire.ts'
import { problemReplies } from './problem.ts'
import { stamp } from './stamp.ts'

/** `GET /status` (the Korean specification's) and `GET /api/v1/echo`: what everybody may ask. */
export const statusRoutes: Routes = (context) => (app, _options, done) => {
  const { fleet, feed, config, now } = context
  app.get(
    '/status',
    {
      onRequest: mayBring(context, config.publicStatus, 'admin', 'proxy', 'read'),
      serializerCompiler: plainJson,
      schema: {
        summary: 'Every name that has sent heartbeats',
        tags: ['status'],
        querystring: statusQuery,
        response: { 200: statusReply, ...problemReplies },
      },
    },
    (request, reply) => {
      const { limit = Number.POSITIVE_INFINITY, after } = request.query
      const { total, devices, next } = pageOf(fleet.devices, fleet, null, { sort: 'name', isDown: false, limit, after: beginningOf(after) })
      const end = { timestamp: stamp(now()), last_event_id: feed.lastEventId, next }
      function* text(): Generator<string> {
        yield `{"total":${total},"proxies":`
        yield* listText(devices, (device) => statusLine(device, fleet))
        yield `,${JSON.stringify(end).slice(1)}`
      }
      reply.header('cache-control', 'no-store')
      sendJson(reply, text(), devices.length)
    },
  )
  app.get(
    '/api/v1/echo',
    {
      schema: { summary: 'The address from which this request comes', tags: ['status'], response: { 200: echoReply, ...problemReplies } },
    },
    (request, reply) => {
      reply.header('cache-control', 'no-store')
      return { ip: addressOf(request) }
    },
  )
  done()
}
