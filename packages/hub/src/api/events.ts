import type { KeyScope } from '@mobilepool/sdk/contract'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Caller } from '../auth/caller.ts'
import { HubError } from '../errors.ts'
import { callerOf, mayBring } from './access.ts'
import type { Routes } from './context.ts'
import type { Listener, View } from './event-feed.ts'
import { problemReplies } from './problem.ts'

/** Open streams at once; each costs a socket and its buffer. */
const MAX_LISTENERS = 1_000
/** A reader that is this far behind is cut; it comes back with its Last-Event-ID. */
const MAX_BEHIND_BYTES = 1_000_000

/** `GET /api/v1/events`: what happens in the fleet, as it happens. */
export const eventRoutes: Routes = (context) => (app, _options, done) => {
  const { feed, config } = context
  app.get(
    '/api/v1/events',
    {
      exposeHeadRoute: false,
      onRequest: mayBring(context, config.publicStatus, 'admin', 'proxy', 'read'),
      schema: {
        summary: 'Server-sent events of the fleet; resumable',
        tags: ['events'],
        querystring: z.object({
          /** For the first connection, which EventSource makes without a header. */
          last_event_id: z.string().max(100).optional(),
        }),
        response: problemReplies,
      },
    },
    (request, reply) => {
      if (feed.size >= MAX_LISTENERS)
        throw new HubError('too_many_requests', `${MAX_LISTENERS} event streams are open, and no more are taken. Try again later.`, {
          retryAfter: 30,
        })
      const caller = callerOf(request)
      const view: View = viewOf(caller?.scope ?? null)
      const header = request.headers['last-event-id']
      const lastEventId = (typeof header === 'string' && header !== '' ? header : request.query.last_event_id) ?? null
      // Whoever left while his key was looked up has said "close" already, and would be listened for without end.
      if (reply.raw.destroyed) return void reply.hijack()
      const listener = listenerOn(reply, view, caller)
      reply.raw.once('close', () => feed.remove(listener))
      feed.add(listener, lastEventId)
    },
  )
  done()
}

/** What keys of a scope see; null: no key. */
const viewOf = (scope: KeyScope | null): View => (scope === 'admin' || scope === 'proxy' ? scope : 'public')

/** Takes the connection over from Fastify. */
function listenerOn(reply: FastifyReply, view: View, caller: Caller | null): Listener {
  reply.hijack()
  const { raw } = reply
  // CORS has put its headers on the reply, which writes nothing any more.
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // nginx would collect the stream.
    'x-accel-buffering': 'no',
  })
  raw.write('retry: 2000\n\n')
  return {
    view,
    callerId: caller?.id ?? null,
    userId: caller?.userId ?? null,
    write(text) {
      if (raw.writableLength > MAX_BEHIND_BYTES) raw.destroy()
      else raw.write(text)
    },
    end: () => void raw.end(),
  }
}
