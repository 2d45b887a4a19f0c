import { exportQuery, IMPORT_MAX_BYTES, importQuery, importReply } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { HubError } from '../errors.ts'
import { isPending, newPendingDevice, settingsOf } from '../fleet/device.ts'
import { csvOf, jsonOf } from '../fleet/transfer/export-devices.ts'
import { parseFile } from '../fleet/transfer/parse-file.ts'
import { type ImportPlan, planImport } from '../fleet/transfer/plan-import.ts'
import type { DeviceSettings } from '../store/index.ts'
import { needs } from './access.ts'
import type { ApiContext, Routes } from './context.ts'
import { changeOf } from './device-change.ts'
import { sendText } from './device-list.ts'
import { problemReplies } from './problem.ts'
import { sendLines } from './proxy-choice.ts'

/** `/api/v1/admin/devices/import` and `/export`: whole fleets in and out. */
export const deviceTransferRoutes: Routes = (context) => (app, _options, done) => {
  const { fleet } = context
  const onRequest = needs(context, 'admin')
  const tags = ['devices']
  // A file is taken as it is, so that line numbers are the file's own.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    ['text/csv', 'text/plain', 'application/json', 'application/octet-stream'],
    { parseAs: 'string' },
    (_request, body, taken) => taken(null, body),
  )

  app.post(
    '/api/v1/admin/devices/import',
    {
      onRequest,
      bodyLimit: IMPORT_MAX_BYTES,
      schema: {
        summary: 'Add devices from a file: CSV, JSON, a list of proxies, or what Scrapoxy left; all or nothing',
        tags,
        consumes: ['text/csv', 'text/plain', 'application/json'],
        querystring: importQuery,
        body: z.string({ error: 'is missing: send the file as the body' }).min(1, 'is empty: send the file as the body'),
        response: { 200: importReply, ...problemReplies },
      },
    },
    async (request) => {
      const { format, dry_run: isDryRun, partial, existing, name_prefix: prefix } = request.query
      const file = parseFile(format, request.body, prefix)
      let plan: ImportPlan = { adds: [], updates: [], skipped: [], errors: [] }
      const isTaken = await fleet.putMany(() => {
        plan = planImport(file, { existing, room: fleet.room, find: (name) => fleet.findByName(name) })
        return isDryRun || (plan.errors.length > 0 && !partial) ? [] : settingsOfPlan(context, plan)
      })
      if (!isTaken) throw new HubError('device_exists', 'One of these names was given to another device meanwhile: import again.')
      const isApplied = !isDryRun && (plan.errors.length === 0 || partial)
      const adds = plan.adds.map(({ body }) => body.name)
      const updates = plan.updates.map(({ device }) => device.name)
      return {
        applied: isApplied,
        dry_run: isDryRun,
        added: isApplied ? adds : [],
        updated: isApplied ? updates : [],
        would_add: isApplied ? [] : adds,
        would_update: isApplied ? [] : updates,
        skipped: plan.skipped,
        errors: plan.errors,
      }
    },
  )

  app.get(
    '/api/v1/admin/devices/export',
    {
      onRequest,
      schema: {
        summary: 'The adopted devices as a file; without passwords unless they are asked for',
        tags,
        querystring: exportQuery,
        response: {
          200: {
            description: 'The file',
            content: {
              'text/csv': { schema: z.string() },
              'application/json': { schema: z.object({ devices: z.array(z.looseObject({ name: z.string() })) }) },
              'text/plain': { schema: z.string() },
            },
          },
          ...problemReplies,
        },
      },
    },
    (request, reply) => {
      const { format, credentials } = request.query
      const devices = fleet.devices.filter((device) => !isPending(device))
      reply.header('cache-control', 'no-store')
      if (credentials) request.log.warn({ request: request.id }, 'Devices are exported with their proxies’ passwords.')
      if (format === 'list') {
        if (!credentials) {
          const message = 'must be true for a list of proxies, which is of no use without their passwords'
          throw new HubError('bad_request', `credentials ${message}`, { errors: [{ field: 'credentials', message }] })
        }
        sendLines(
          reply,
          devices.map(({ proxyUrl }) => proxyUrl),
        )
        return
      }
      reply.type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/json; charset=utf-8')
      reply.header('content-disposition', `attachment; filename="devices.${format}"`)
      sendText(reply, (format === 'csv' ? csvOf : jsonOf)(devices, fleet, credentials))
    },
  )
  done()
}

/** What is to be written of a plan. */
function settingsOfPlan({ fleet, config, now, newId }: ApiContext, { adds, updates }: ImportPlan): DeviceSettings[] {
  const at = now()
  const newDevice = { rotationInterval: config.defaultRotationInterval, requestsPerMinute: config.maxRequestsPerMinute }
  const added = adds.map(({ body }) => {
    const before = settingsOf(fleet.findByName(body.name) ?? newPendingDevice(newId(), body.name, at, newDevice))
    return { ...before, ...newDevice, ...changeOf(body, before), adoptedAt: at, updatedAt: at }
  })
  const updated = updates.map(({ device, body }) => ({ ...settingsOf(device), ...changeOf(body, device), updatedAt: at }))
  return [...added, ...updated]
}
