import {
  alert,
  alertAckRequest,
  alertList,
  alertRule,
  alertRuleList,
  alertRuleUpdate,
  alertSeverity,
  alertState,
  alertWithDeliveries,
} from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { alertJson } from '../alerts/alert-json.ts'
import { HubError, refused } from '../errors.ts'
import { certainCaller, needs } from './access.ts'
import { cursorOf, deliveryJson, readCursor, ruleJson } from './alert-wire.ts'
import { emptyBodyIsObject } from './body.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'

const params = z.object({ id: z.uuid() })

const query = z.object({
  state: alertState.optional(),
  rule: alertRule.optional(),
  severity: alertSeverity.optional(),
  /** A device's UUID or name, a site, or another subject's id. */
  subject: z.string().min(1).max(300).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  /** `next` of the page before. */
  after: z.string().max(100).optional(),
})

/** `/api/v1/alerts`: what fires and fired, who looks after it, and by which rules. */
export const alertRoutes: Routes = (context) => (app, _options, done) => {
  const { store, fleet, alerting } = context
  const onRequest = needs(context, 'admin')
  const readers = needs(context, 'read', 'proxy', 'admin')
  const tags = ['alerts']

  app.get(
    '/api/v1/alerts',
    {
      onRequest: readers,
      schema: { summary: 'Alerts, newest first', tags, querystring: query, response: { 200: alertList, ...problemReplies } },
    },
    async (request) => {
      const { subject, after, limit, ...filter } = request.query
      // One more than asked for tells whether there is a page after this one.
      const found = await store.alerts.list({
        ...filter,
        subject: subject === undefined ? undefined : (fleet.findByName(subject)?.id ?? subject),
        after: after === undefined ? undefined : readCursor(after),
        limit: limit + 1,
      })
      const page = found.slice(0, limit)
      const last = page.at(-1)
      return { alerts: page.map(alertJson), next: found.length > limit && last ? cursorOf(last) : null }
    },
  )

  app.get(
    '/api/v1/alerts/:id',
    {
      onRequest: readers,
      schema: { summary: 'One alert, and what was told of it', tags, params, response: { 200: alertWithDeliveries, ...problemReplies } },
    },
    async (request) => {
      const { id } = request.params
      const [found, deliveries] = await Promise.all([store.alerts.byId(id), store.alertDeliveries.ofAlert(id)])
      if (!found) throw noAlert(id)
      return { ...alertJson(found), deliveries: deliveries.map(deliveryJson) }
    },
  )

  app.post(
    '/api/v1/alerts/:id/ack',
    {
      onRequest,
      preValidation: emptyBodyIsObject,
      schema: {
        summary: 'Say that somebody looks after it; no more reminders',
        tags,
        params,
        body: alertAckRequest,
        response: { 200: alert, ...problemReplies },
      },
    },
    async (request) => {
      const { id } = request.params
      const taken = await alerting.alerts.acknowledge(id, certainCaller(request).name, request.body.comment ?? null)
      if (!taken) throw noAlert(id)
      return alertJson(taken)
    },
  )

  const rules = () => ({
    rules: alertRule.options.map((rule) => ruleJson(rule, alerting.rules.of(rule))),
    quiet_hours: alerting.rules.quietHours,
  })

  app.get(
    '/api/v1/alerts/rules',
    { onRequest: readers, schema: { summary: 'The rules and the quiet hours', tags, response: { 200: alertRuleList, ...problemReplies } } },
    rules,
  )

  app.put(
    '/api/v1/alerts/rules',
    {
      onRequest,
      schema: {
        summary: 'Change rules or quiet hours; what is not given stays',
        tags,
        body: alertRuleUpdate,
        response: { 200: alertRuleList, ...problemReplies },
      },
    },
    async (request) => {
      const refusal = await alerting.alerts.changeRules(request.body)
      if (refusal) throw refused(refusal)
      return rules()
    },
  )
  done()
}

const noAlert = (id: string): HubError => new HubError('not_found', `There is no alert ${id}.`)
