import { keyCreate, keyCreateReply, keyList } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { HubError } from '../errors.ts'
import { deviceOf, needs } from './access.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'
import { keyJson } from './wire.ts'

/** `/api/v1/keys`: API keys are made, listed and revoked by admins. */
export const keyRoutes: Routes = (context) => (app, _options, done) => {
  const { keys, feed } = context
  const onRequest = needs(context, 'admin')
  const tags = ['keys']
  app.get(
    '/api/v1/keys',
    { onRequest, schema: { summary: 'All keys, never the secrets', tags, response: { 200: keyList, ...problemReplies } } },
    () => ({ keys: keys.keys.map(keyJson) }),
  )
  app.post(
    '/api/v1/keys',
    {
      onRequest,
      schema: { summary: 'Make a key; it is shown this once', tags, body: keyCreate, response: { 201: keyCreateReply, ...problemReplies } },
    },
    async (request, reply) => {
      const { name, scope, device } = request.body
      const deviceId = device === undefined ? null : deviceOf(context, device).id
      const { key, secret } = await keys.create({ name, scope, deviceId })
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...keyJson(key), key: secret })
    },
  )
  app.delete(
    '/api/v1/keys/:id',
    {
      onRequest,
      schema: { summary: 'Revoke a key', tags, params: z.object({ id: z.uuid() }), response: { 204: z.void(), ...problemReplies } },
    },
    async (request, reply) => {
      const key = await keys.revoke(request.params.id)
      if (!key) throw new HubError('not_found', `There is no key ${request.params.id}.`)
      feed.endOf(key.id)
      return reply.code(204).send()
    },
  )
  done()
}
