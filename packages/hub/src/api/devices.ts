import {
  device,
  deviceCreate,
  deviceList,
  deviceQuery,
  deviceRef,
  deviceSort,
  deviceUpdate,
  rotateReply,
  rotateRequest,
} from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { HubError, type Refusal, refused } from '../errors.ts'
import { type Device, newPendingDevice, settingsOf } from '../fleet/device.ts'
import { IN_MAINTENANCE } from '../fleet/rotations/rotations.ts'
import { matcher, pageOf } from '../fleet/selection.ts'
import { deviceOf, needs } from './access.ts'
import { emptyBodyIsObject } from './body.ts'
import type { ApiContext, Routes } from './context.ts'
import { changeOf } from './device-change.ts'
import { beginningOf, plainJson, selectionOf, sendDevices } from './device-list.ts'
import { deviceJson } from './device-wire.ts'
import { problemReplies } from './problem.ts'
import { rotationJson } from './rotation-wire.ts'

const params = z.object({ id: deviceRef })

/** `/api/v1/admin/devices`: the fleet as its owner sees it, pending names included. */
export const deviceRoutes: Routes = (context) => (app, _options, done) => {
  const { fleet, rotations } = context
  const onRequest = needs(context, 'admin')
  const tags = ['devices']
  const json = (of: Device) => deviceJson(of, fleet)

  app.get(
    '/api/v1/admin/devices',
    {
      onRequest,
      serializerCompiler: plainJson,
      schema: {
        summary: 'Devices, pending names too: filtered, sorted, a page at a time',
        tags,
        querystring: deviceQuery,
        response: { 200: deviceList, ...problemReplies },
      },
    },
    (request, reply) => {
      const { sort, limit, after, ...filters } = request.query
      const isFiltered = Object.values(filters).some((filter) => filter !== undefined)
      const isMeant = isFiltered ? matcher(selectionOf(filters), fleet) : null
      const isDown = sort.startsWith('-')
      const by = deviceSort.parse(isDown ? sort.slice(1) : sort)
      sendDevices(context, reply, pageOf(fleet.devices, fleet, isMeant, { sort: by, isDown, limit, after: beginningOf(after) }))
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
      if (changed.maintenance) await rotations.cancel(changed, IN_MAINTENANCE)
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

  app.post(
    '/api/v1/admin/devices/:id/restart',
    {
      onRequest,
      schema: {
        summary: 'Restart the device by its agent; followed like a rotation, which it is: most devices come back with another address',
        tags,
        params,
        response: { 202: rotateReply, ...problemReplies },
      },
    },
    async (request, reply) => {
      const of = deviceOf(context, request.params.id)
      const cannot = refuseRestart(of)
      if (cannot) throw refused(cannot)
      // Once: that the address stayed the same is no reason to restart it again.
      const result = await rotations.request(of, { trigger: 'forced', method: 'device_reboot', comment: 'restart', attempts: 1 })
      if ('code' in result) throw refused(result)
      return reply.code(202).send({ rotation: rotationJson(result) })
    },
  )
  done()
}

function refuseRestart({ name, kind, methods }: Device): Refusal | null {
  const unsupported = (detail: string): Refusal => ({ code: 'restart_unsupported', detail })
  if (kind === 'bare')
    return unsupported(`${name} runs no agent, so the hub has no way to restart it: restart its box by hand, or enrol the agent on it.`)
  if (methods.includes('device_reboot')) return null
  return unsupported(`The agent of ${name} cannot restart it: its driver reports ${methods.join(', ') || 'no method'}, not device_reboot.`)
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
