import { echoReply, statusReply } from '@mobilepool/sdk/contract'
import { mayBring } from './access.ts'
import { addressOf } from './client-address.ts'
import type { Routes } from './context.ts'
import { plainJson } from './device-list.ts'
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
        response: { 200: statusReply, ...problemReplies },
      },
    },
    (_request, reply) => {
      reply.header('cache-control', 'no-store')
      const proxies = fleet.devices.map((device) => statusLine(device, fleet))
      return { total: proxies.length, proxies, timestamp: stamp(now()), last_event_id: feed.lastEventId }
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
