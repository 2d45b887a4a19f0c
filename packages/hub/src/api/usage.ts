import { type UsageBatchJson, usageBatch, usageReply } from '@mobilepool/sdk/contract'
import { validatorCompiler } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { HubError } from '../errors.ts'
import { certainCaller, needs } from './access.ts'
import { addressOf } from './client-address.ts'
import type { Routes } from './context.ts'
import { parseUsageLines } from './ndjson.ts'
import { problemReplies } from './problem.ts'

/** 500 records with the longest targets, or 5,000 of usual length. */
const BODY_LIMIT_BYTES = 4 * 1024 * 1024
const NDJSON = 'application/x-ndjson'

/** A body of NDJSON, not looked at yet. */
class Lines {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** `POST /api/v1/usage`: what parsers report of their requests. */
export const usageRoutes: Routes = (context) => (app, _options, done) => {
  const { statistics, quotas, metrics, tallies } = context
  app.addContentTypeParser(NDJSON, { parseAs: 'string' }, (_request, body: string, parsed) => parsed(null, new Lines(body)))
  app.post(
    '/api/v1/usage',
    {
      onRequest: needs(context, 'proxy', 'admin'),
      bodyLimit: BODY_LIMIT_BYTES,
      // The body's schema is for JSON; NDJSON is checked line by line, so that a bad line is named by its number.
      validatorCompiler: (route) => {
        const check = validatorCompiler({ ...route, schema: route.schema as unknown as z.ZodType })
        return (data: unknown) => (data instanceof Lines ? { value: data } : check(data))
      },
      schema: {
        summary: 'Report requests, in batches of JSON or NDJSON; a batch that is sent again counts once',
        tags: ['usage'],
        querystring: z.object({ id: z.uuid().optional() }),
        body: usageBatch,
        response: { 200: usageReply, ...problemReplies },
      },
    },
    async (request) => {
      const batch = batchOf(request.body, request.query.id)
      const caller = certainCaller(request)
      const reporter = caller.userId ?? caller.keyId ?? caller.id
      const { stored, unknownDevices, isDuplicate } = await statistics.record(batch, { clientIp: addressOf(request), reporter })
      if (!isDuplicate) {
        // Attempts that followed the first one of a request are ours, not the caller's; the gateway counts what it carries.
        quotas.count(caller, batch.records.filter(({ attempt, through }) => attempt === 1 && through !== 'gateway').length)
        tallies.use(
          batch.records.map(({ device_id, exit_ip, outcome, duration_ms }) => ({
            deviceId: device_id,
            exitIp: exit_ip,
            outcome,
            durationMs: duration_ms,
          })),
        )
        metrics.observeUsage(
          batch.records.map(({ device_id, status, outcome, duration_ms }) => ({
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

function batchOf(body: UsageBatchJson | Lines, id: string | undefined): UsageBatchJson {
  if (!(body instanceof Lines)) return body
  const message = 'is missing: give the batch a UUID, like ?id=7f9c24e5-2c1e-4f0a-8f0e-3f1d9c1b2a30, and keep it when you send it again'
  if (id === undefined) throw new HubError('bad_request', `id ${message}`, { errors: [{ field: 'id', message }] })
  return { id, records: parseUsageLines(body.text) }
}
