import { usageBatch, usageReply } from '@mobilepool/sdk/contract'
import { recordUsage } from '../stats/usage.ts'
import { certainCaller, needs } from './access.ts'
import { addressOf } from './client-address.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'

/** 500 records with the longest targets. */
const BODY_LIMIT_BYTES = 1024 * 1024

/** `POST /api/v1/usage`: what parsers report of their requests. */
export const usageRoutes: Routes = (context) => (app, _options, done) => {
  const { store, quotas, now, metrics, tallies } = context
  app.post(
    '/api/v1/usage',
    {
      onRequest: needs(context, 'proxy', 'admin'),
      bodyLimit: BODY_LIMIT_BYTES,
      schema: {
        summary: 'Report requests, in batches; a batch that is sent again counts once',
        tags: ['usage'],
        body: usageBatch,
        response: { 200: usageReply, ...problemReplies },
      },
    },
    async (request) => {
      const { stored, unknownDevices, isDuplicate } = await recordUsage(store, request.body, { clientIp: addressOf(request), now: now() })
      if (!isDuplicate) {
        // Attempts that followed the first one of a request are ours, not the caller's.
        quotas.count(certainCaller(request), request.body.records.filter(({ attempt }) => attempt === 1).length)
        tallies.use(
          request.body.records.map(({ device_id, exit_ip, outcome, duration_ms }) => ({
            deviceId: device_id,
            exitIp: exit_ip,
            outcome,
            durationMs: duration_ms,
          })),
        )
        metrics.observeUsage(
          request.body.records.map(({ device_id, status, outcome, duration_ms }) => ({
            deviceId: device_id,
            status,
            outcome,
            durationMs: duration_ms,
          })),
        )
      }
      return { stored, unknown_devices: unknownDevices, duplicate: isDuplicate }
    },
  )
  done()
}
