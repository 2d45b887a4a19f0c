import { deviceRef, rotation, rotationList } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { HubError } from '../errors.ts'
import { deviceOf, needs } from './access.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'
import { rotationJson } from './wire.ts'

/** `/api/v1/rotations`: how rotations go and went. */
export const rotationRoutes: Routes = (context) => (app, _options, done) => {
  const { store } = context
  const onRequest = needs(context, 'read', 'proxy', 'admin')
  const tags = ['rotations']
  app.get(
    '/api/v1/rotations',
    {
      onRequest,
      schema: {
        summary: 'Rotations, newest first',
        tags,
        querystring: z.object({ limit: z.coerce.number().int().min(1).max(500).default(50), device: deviceRef.optional() }),
        response: { 200: rotationList, ...problemReplies },
      },
    },
    async (request) => {
      const { limit, device } = request.query
      const of = device === undefined ? {} : { deviceId: deviceOf(context, device).id }
      return { rotations: (await store.rotations.newest({ ...of, limit })).map(rotationJson) }
    },
  )
  app.get(
    '/api/v1/rotations/:id',
    {
      onRequest,
      schema: { summary: 'One rotation', tags, params: z.object({ id: z.uuid() }), response: { 200: rotation, ...problemReplies } },
    },
    async (request) => {
      const found = await store.rotations.byId(request.params.id)
      if (!found) throw new HubError('not_found', `There is no rotation ${request.params.id}.`)
      return rotationJson(found)
    },
  )
  done()
}
