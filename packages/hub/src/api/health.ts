import { setTimeout as delay } from 'node:timers/promises'
import { healthReply, readyReply } from '@mobilepool/sdk/contract'
import type { Routes } from './context.ts'

const PING_TIMEOUT_MS = 2_000

/** `GET /healthz`: the process answers. `GET /readyz`: the database does, too. */
export const healthRoutes: Routes =
  ({ store, fleet }) =>
  (app, _options, done) => {
    app.get('/healthz', { schema: { summary: 'The process answers', tags: ['health'], response: { 200: healthReply } } }, () => ({
      status: 'ok' as const,
    }))
    app.get(
      '/readyz',
      { schema: { summary: 'The database answers', tags: ['health'], response: { 200: readyReply, 503: readyReply } } },
      async (_request, reply) => {
        const isUp = await answersInTime(store.ping())
        reply.code(isUp ? 200 : 503)
        return {
          status: isUp ? ('ok' as const) : ('degraded' as const),
          database: isUp ? ('up' as const) : ('down' as const),
          waiting: fleet.waiting,
        }
      },
    )
    done()
  }

async function answersInTime(ping: Promise<void>): Promise<boolean> {
  const stop = new AbortController()
  const late = delay(PING_TIMEOUT_MS, false, { signal: stop.signal }).catch(() => false)
  const isUp = await Promise.race([
    ping.then(
      () => true,
      () => false,
    ),
    late,
  ])
  stop.abort()
  return isUp
}
