import { deviceRef, rotation, rotationBatch, rotationList, rotationState, rotationTrigger } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { HubError, refused } from '../errors.ts'
import { deviceOf, needs } from './access.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'
import { attemptJson, batchJson, rotationJson, rotationsWithRecall } from './rotation-wire.ts'

const params = z.object({ id: z.uuid() })
const filter = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(50),
  device: deviceRef.optional(),
  state: rotationState.optional(),
  trigger: rotationTrigger.optional(),
  batch: z.uuid().optional(),
  after: z.uuid().optional(),
})

/** `/api/v1/rotations`: how rotations go and went. */
export const rotationRoutes: Routes = (context) => (app, _options, done) => {
  const { store, fleet, rotations } = context
  const onRequest = needs(context, 'read', 'proxy', 'admin')
  const byAdmin = needs(context, 'admin')
  const tags = ['rotations']

  app.get(
    '/api/v1/rotations',
    {
      onRequest,
      schema: { summary: 'Rotations, newest first', tags, querystring: filter, response: { 200: rotationList, ...problemReplies } },
    },
    async (request) => {
      const { limit, device, state, trigger, batch: batchId, after } = request.query
      const of = device === undefined ? {} : { deviceId: deviceOf(context, device).id }
      const found = await store.rotations.newest({ ...of, state, trigger, batchId, after, limit })
      return {
        rotations: await rotationsWithRecall(found, store.ipHistory),
        next: found.length < limit ? null : (found.at(-1)?.id ?? null),
      }
    },
  )

  app.get(
    '/api/v1/rotations/:id',
    { onRequest, schema: { summary: 'One rotation with its attempts', tags, params, response: { 200: rotation, ...problemReplies } } },
    async (request) => {
      const { id } = request.params
      const found = await store.rotations.byId(id)
      if (!found) throw new HubError('not_found', `There is no rotation ${id}.`)
      // After it, so that an ended rotation is never shown with an attempt that runs.
      const attempts = await store.rotations.attempts(id)
      const [shown = rotationJson(found)] = await rotationsWithRecall([found], store.ipHistory)
      return { ...shown, attempts: attempts.map(attemptJson) }
    },
  )

  app.post(
    '/api/v1/rotations/:id/cancel',
    {
      onRequest: byAdmin,
      schema: { summary: 'Call off a rotation that waits', tags, params, response: { 200: rotation, ...problemReplies } },
    },
    async (request) => {
      const { id } = request.params
      const known = await store.rotations.byId(id)
      const device = known && fleet.find(known.deviceId)
      if (!known || !device) throw new HubError('not_found', `There is no rotation ${id}.`)
      const isMeant = (running: { id: string; state: string }): boolean => running.id === id && running.state === 'queued'
      const now = device.rotation?.id === id ? await rotations.cancel(device, 'Called off by an admin.', isMeant) : known
      if (now?.id === id && now.reason === 'canceled') return rotationJson(now)
      throw refused({
        code: 'rotation_running',
        detail: `The rotation does not wait: it is ${now?.id === id ? now.state : known.state}. Only one that is queued can be called off.`,
        rotationId: id,
      })
    },
  )

  app.get(
    '/api/v1/rotations/batches/:id',
    { onRequest, schema: { summary: 'How far a "rotate all" is', tags, params, response: { 200: rotationBatch, ...problemReplies } } },
    async (request) => {
      const { id } = request.params
      return batchJson(id, await countsOf(id))
    },
  )

  app.post(
    '/api/v1/rotations/batches/:id/cancel',
    {
      onRequest: byAdmin,
      schema: { summary: 'Call off what still waits of a "rotate all"', tags, params, response: { 200: rotationBatch, ...problemReplies } },
    },
    async (request) => {
      const { id } = request.params
      await countsOf(id)
      await rotations.cancelQueued(({ batchId }) => batchId === id, 'Called off by an admin.')
      return batchJson(id, await countsOf(id))
    },
  )

  async function countsOf(id: string) {
    const counts = await store.rotations.counts(id)
    if (Object.keys(counts).length === 0) throw new HubError('not_found', `There is no "rotate all" ${id}.`)
    return counts
  }
  done()
}
