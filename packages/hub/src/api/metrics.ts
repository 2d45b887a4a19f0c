import { z } from 'zod'
import { mayBring } from './access.ts'
import type { ApiContext, Routes } from './context.ts'
import { problemReplies } from './problem.ts'

/** Streams and long polls last as long as somebody listens: their time says nothing. */
const LASTING = new Set(['/api/v1/events', '/api/v1/agents/commands'])
const HEARTBEATS = new Set(['/proxy_server', '/api/v1/agents/heartbeat'])

/** `GET /metrics`, for Prometheus: as public as the status is, since it says the same and no more. */
export const metricsRoutes: Routes = (context) => (app, _options, done) => {
  const { metrics, config } = context
  app.get(
    '/metrics',
    {
      onRequest: mayBring(context, config.publicStatus, 'admin', 'proxy', 'read'),
      schema: {
        summary: 'Metrics in the text format of Prometheus',
        tags: ['health'],
        response: { 200: { description: 'Metrics', content: { 'text/plain': { schema: z.string() } } }, ...problemReplies },
      },
    },
    async (_request, reply) => {
      reply.type(metrics.contentType).header('cache-control', 'no-store')
      return metrics.text()
    },
  )
  done()
}

/** Counts an answer of the hub. */
export function observeAnswer(
  { metrics }: Pick<ApiContext, 'metrics'>,
  answer: { route: string; method: string; status: number; ms: number },
): void {
  if (HEARTBEATS.has(answer.route) && answer.status === 200) metrics.countHeartbeat()
  if (!LASTING.has(answer.route)) metrics.observeAnswer(answer)
}
