import { type AuditEntryJson, auditPage, auditQuery } from '@mobilepool/sdk/contract'
import type { AuditEntry } from '../store/index.ts'
import { needs } from './access.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'
import { stamp } from './stamp.ts'

/** `GET /api/v1/audit`: who changed what. */
export const auditRoutes: Routes = (context) => (app, _options, done) => {
  app.get(
    '/api/v1/audit',
    {
      onRequest: needs(context, 'admin'),
      schema: {
        summary: 'Who changed what, newest first',
        tags: ['audit'],
        querystring: auditQuery,
        response: { 200: auditPage, ...problemReplies },
      },
    },
    async (request) => {
      const { from, to, failed, after, ...same } = request.query
      const entries = await context.store.audit.newest({
        ...same,
        from: from === undefined ? undefined : Date.parse(from),
        to: to === undefined ? undefined : Date.parse(to),
        failed: failed === 'true',
        before: after,
      })
      const isFull = entries.length === same.limit
      return { entries: entries.map(entryJson), next: isFull ? (entries.at(-1)?.id ?? null) : null }
    },
  )
  done()
}

const entryJson = (entry: AuditEntry & { id: number }): AuditEntryJson => ({
  id: entry.id,
  at: stamp(entry.at),
  actor: { kind: entry.actorKind, id: entry.actorId, name: entry.actorName },
  address: entry.address,
  action: entry.action,
  subject: entry.subject,
  status: entry.status,
  fields: entry.fields,
  request_id: entry.requestId,
})
