import { deviceRef, rotationLinkCreate, rotationLinkList, rotationLinkReply } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { HubError, refused } from '../errors.ts'
import { deviceOf, needs } from './access.ts'
import { emptyBodyIsObject } from './body.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'
import { rotationLinkJson } from './rotation-wire.ts'

const params = z.object({ id: deviceRef })

/** `/api/v1/admin/devices/{id}/rotation-links`: who has a plain URL that rotates a device. */
export const rotationLinkRoutes: Routes = (context) => (app, _options, done) => {
  const { store, links, config, now } = context
  const onRequest = needs(context, 'admin')
  const tags = ['rotations']

  app.post(
    '/api/v1/admin/devices/:id/rotation-links',
    {
      onRequest,
      preValidation: emptyBodyIsObject,
      schema: {
        summary: 'A plain URL that rotates the device; shown this once',
        tags,
        params,
        body: rotationLinkCreate,
        response: { 201: rotationLinkReply, ...problemReplies },
      },
    },
    async (request, reply) => {
      const made = await links.create(deviceOf(context, request.params.id), request.body.name)
      if ('code' in made) throw refused(made)
      const base = config.publicUrl ?? `${request.protocol}://${request.host}`
      const url = `${base.replace(/\/+$/, '')}/api/v1/rotation-links/${made.secret}`
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ link: rotationLinkJson(made.link), url })
    },
  )

  app.get(
    '/api/v1/admin/devices/:id/rotation-links',
    { onRequest, schema: { summary: 'The device’s rotation links', tags, params, response: { 200: rotationLinkList, ...problemReplies } } },
    async (request) => {
      const found = await store.rotationLinks.ofDevice(deviceOf(context, request.params.id).id)
      return { links: found.map(rotationLinkJson) }
    },
  )

  app.delete(
    '/api/v1/admin/devices/:id/rotation-links/:link',
    {
      onRequest,
      schema: {
        summary: 'Revoke a rotation link',
        tags,
        params: params.extend({ link: z.uuid() }),
        response: { 204: z.void(), ...problemReplies },
      },
    },
    async (request, reply) => {
      const device = deviceOf(context, request.params.id)
      if (!(await store.rotationLinks.revoke(device.id, request.params.link, now())))
        throw new HubError('not_found', `${device.name} has no rotation link ${request.params.link}.`)
      return reply.code(204).send()
    },
  )
  done()
}
