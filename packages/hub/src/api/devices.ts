import { device, deviceCreate, deviceList, deviceRef, deviceUpdate, rotateReply, rotateRequest } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { HubError, refused } from '../errors.ts'
import { type Device, newPendingDevice, settingsOf } from '../fleet/device.ts'
import { deviceOf, needs } from './access.ts'
import { emptyBodyIsObject } from './body.ts'
import type { ApiContext, Routes } from './context.ts'
import { changeOf } from './device-change.ts'
import { deviceJson } from './device-wire.ts'
import { problemReplies } from './problem.ts'
import { rotationJson } from './rotation-wire.ts'
import { stamp } from './stamp.ts'

const params = z.object({ id: deviceRef })

/** `/api/v1/admin/devices`: the fleet as its owner sees it, pending names included. */
export const deviceRoutes: Routes = (context) => (app, _options, done) => {
  const { fleet, feed, rotations, now } = context
  const onRequest = needs(context, 'admin')
  const tags = ['devices']
  const json = (of: Device) => deviceJson(of, fleet)

  app.get(
    '/api/v1/admin/devices',
    { onRequest, schema: { summary: 'All devices', tags, response: { 200: deviceList, ...problemReplies } } },
    () => {
      const devices = fleet.devices.map(json)
      return { total: devices.length, devices, last_event_id: feed.lastEventId, timestamp: stamp(now()) }
    },
  )

  app.post(
    '/api/v1/admin/devices',
    {
      onRequest,
      schema: { summary: 'Add a device, or adopt a pending name', tags, body: deviceCreate, response: { 201: device, ...problemReplies } },
    },
    async (request, reply) => {
      const added = await adopt(context, request.body)
      return reply.code(201).send(json(added))
    },
  )

  app.get(
    '/api/v1/admin/devices/:id',
    { onRequest, schema: { summary: 'One device', tags, params, response: { 200: device, ...problemReplies } } },
    (request) => json(deviceOf(context, request.params.id)),
  )

  app.route({
    method: ['PUT', 'PATCH'],
    url: '/api/v1/admin/devices/:id',
    onRequest,
    schema: {
      summary: 'Change what is given, keep the rest',
      tags,
      params,
      body: deviceUpdate,
      response: { 200: device, ...problemReplies },
    },
    handler: async (request) => {
      const of = deviceOf(context, request.params.id)
      const changed = await fleet.edit(of, changeOf(request.body, of))
      if (!changed)
        throw fleet.find(of.id) ? nameTaken(request.body.name ?? of.name) : new HubError('not_found', `${of.name} was removed meanwhile.`)
      if (changed.maintenance) await rotations.cancel(changed, 'The device was put into maintenance.')
      return json(changed)
    },
  })

  app.delete(
    '/api/v1/admin/devices/:id',
    {
      onRequest,
      schema: { summary: 'Remove a device with its history and its keys', tags, params, response: { 204: z.void(), ...problemReplies } },
    },
    async (request, reply) => {
      const of = deviceOf(context, request.params.id)
      await fleet.remove(of)
      rotations.forget(of)
      context.keys.forgetDevice(of.id)
      return reply.code(204).send()
    },
  )

  app.post(
    '/api/v1/admin/devices/:id/rotate',
    {
      onRequest,
      preValidation: emptyBodyIsObject,
      schema: {
        summary: 'Give the device a new exit IP',
        tags,
        params,
        body: rotateRequest,
        response: { 202: rotateReply, ...problemReplies },
      },
    },
    async (request, reply) => {
      const result = await rotations.request(deviceOf(context, request.params.id), request.body)
      if ('code' in result) throw refused(result)
      return reply.code(202).send({ rotation: rotationJson(result) })
    },
  )
  done()
}

const nameTaken = (name: string): HubError => new HubError('device_exists', `A device named ${name} exists already.`)

async function adopt({ fleet, now, newId, config }: ApiContext, asked: z.output<typeof deviceCreate>): Promise<Device> {
  const known = fleet.findByName(asked.name)
  if (known && known.adoptedAt !== null) throw nameTaken(asked.name)
  const full = fleet.refuseAdoption()
  if (full) throw refused(full)
  const at = now()
  const newDevice = { rotationInterval: config.defaultRotationInterval, requestsPerMinute: config.maxRequestsPerMinute }
  const before = known ? settingsOf(known) : settingsOf(newPendingDevice(newId(), asked.name, at, newDevice))
  const { name, ...settings } = asked
  // What a pending name was made with is from the day when it was first heard.
  const added = await fleet.put({ ...before, ...newDevice, ...changeOf(settings, before), name, adoptedAt: at, updatedAt: at })
  if (!added) throw nameTaken(name)
  return added
}
