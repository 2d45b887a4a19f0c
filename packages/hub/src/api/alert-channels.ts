import {
  alertChannel,
  alertChannelCreate,
  alertChannelCreateReply,
  alertChannelList,
  alertChannelUpdate,
  alertTestReply,
  alertTestRequest,
} from '@mobilepool/sdk/contract'
import { z } from 'zod'
import type { ChannelChoices } from '../alerts/channel-list.ts'
import { HubError, refused } from '../errors.ts'
import { RateLimit } from '../rate-limit.ts'
import type { AlertRecord, ChannelRecord } from '../store/index.ts'
import { certainCaller, needs } from './access.ts'
import { channelJson } from './alert-wire.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'

const params = z.object({ id: z.uuid() })
/** Of one key: nobody reads more. */
const TESTS_PER_MINUTE = 10

/** `/api/v1/alerts/channels`: where alerts are told. Their secrets are taken and never shown. */
export const alertChannelRoutes: Routes = (context) => (app, _options, done) => {
  const { alerting, now, newId } = context
  const { channels, dispatcher } = alerting
  const tests = new RateLimit(TESTS_PER_MINUTE)
  const onRequest = needs(context, 'admin')
  const tags = ['alerts']
  const channelOf = (ref: string): ChannelRecord => {
    const channel = channels.find(ref)
    if (!channel) throw new HubError('not_found', `There is no channel ${ref}.`)
    return channel
  }

  app.get(
    '/api/v1/alerts/channels',
    { onRequest, schema: { summary: 'Where alerts are told', tags, response: { 200: alertChannelList, ...problemReplies } } },
    () => ({ channels: channels.all.map(channelJson) }),
  )

  app.post(
    '/api/v1/alerts/channels',
    {
      onRequest,
      schema: {
        summary: 'Add a channel; the secret of a webhook is shown this once where the hub made it',
        tags,
        body: alertChannelCreate,
        response: { 201: alertChannelCreateReply, ...problemReplies },
      },
    },
    async (request, reply) => {
      const { kind, name, enabled, min_severity: minSeverity, rules, ...address } = request.body
      const added = await channels.add(kind, address, { name, enabled, minSeverity, rules })
      if ('code' in added) throw refused(added)
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...channelJson(added.channel), ...(added.secret === null ? {} : { secret: added.secret }) })
    },
  )

  app.patch(
    '/api/v1/alerts/channels/:id',
    {
      onRequest,
      schema: {
        summary: 'Change a channel; one that the hub had switched off is tried again',
        tags,
        params,
        body: alertChannelUpdate,
        response: { 200: alertChannel, ...problemReplies },
      },
    },
    async (request) => {
      const { name, enabled, min_severity: minSeverity, rules, ...address } = request.body
      const given: Partial<ChannelChoices> = {
        ...(name === undefined ? {} : { name }),
        ...(enabled === undefined ? {} : { enabled }),
        ...(minSeverity === undefined ? {} : { minSeverity }),
        ...(rules === undefined ? {} : { rules }),
      }
      const changed = await channels.change(channelOf(request.params.id), address, given)
      if ('code' in changed) throw refused(changed)
      return channelJson(changed)
    },
  )

  app.delete(
    '/api/v1/alerts/channels/:id',
    { onRequest, schema: { summary: 'Remove a channel', tags, params, response: { 204: z.void(), ...problemReplies } } },
    async (request, reply) => {
      const refusal = await channels.remove(channelOf(request.params.id))
      if (refusal) throw refused(refusal)
      return reply.code(204).send()
    },
  )

  app.post(
    '/api/v1/alerts/test',
    {
      onRequest,
      schema: {
        summary: 'Send a test to a channel and say what the far end answered',
        tags,
        body: alertTestRequest,
        response: { 200: alertTestReply, ...problemReplies },
      },
    },
    async (request) => {
      const waitMs = tests.take(certainCaller(request).id, now())
      if (waitMs > 0)
        throw new HubError('too_many_requests', `This key sends more than ${TESTS_PER_MINUTE} tests a minute.`, {
          retryAfter: Math.ceil(waitMs / 1000),
        })
      const channel = channelOf(request.body.channel)
      const before = now()
      const { outcome, answer } = await dispatcher.test(channel, { notice: 'test', alert: testAlert(newId(), before) })
      return { channel: channel.name, ok: outcome === 'sent', answer, duration_ms: Math.max(0, Math.round(now() - before)) }
    },
  )
  done()
}

/** Looks like an alert, and says that it is none. */
const testAlert = (id: string, now: number): AlertRecord => ({
  id,
  rule: 'device_silent',
  subject: { kind: 'hub', id: 'test', name: 'a test' },
  severity: 'info',
  title: 'This is a test of MobilePool’s alerts',
  detail: 'Alerts of your fleet will come here. Nothing is wrong.',
  value: null,
  members: [],
  startedAt: now,
  resolvedAt: null,
  remindedAt: null,
  acknowledged: null,
})
