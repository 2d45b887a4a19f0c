import { deviceList, deviceStatus, deviceType, fleetRotateReply, fleetRotateRequest, label } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { refused } from '../errors.ts'
import { type Device, isPending } from '../fleet/device.ts'
import { deviceOf, needs } from './access.ts'
import { emptyBodyIsObject } from './body.ts'
import type { Routes } from './context.ts'
import { deviceJson } from './device-wire.ts'
import { problemReplies } from './problem.ts'
import { rotationJson } from './rotation-wire.ts'
import { stamp } from './stamp.ts'

/** Every filter that is given must hold; texts are compared without regard to case. */
const filter = z.object({
  operator: label.optional(),
  region: label.optional(),
  type: deviceType.optional(),
  tag: label.optional(),
  status: deviceStatus.optional(),
})

/** `/api/v1/proxy`: the fleet as parsers see it. */
export const proxyRoutes: Routes = (context) => (app, _options, done) => {
  const { fleet, feed, rotations, now, newId } = context
  const onRequest = needs(context, 'proxy', 'admin')
  const tags = ['proxy']

  app.get(
    '/api/v1/proxy/list',
    { onRequest, schema: { summary: 'The adopted devices', tags, querystring: filter, response: { 200: deviceList, ...problemReplies } } },
    (request) => {
      const devices = fleet.devices
        .filter((device) => !isPending(device))
        .map((device) => deviceJson(device, fleet))
        .filter(matches(request.query))
      return { total: devices.length, devices, last_event_id: feed.lastEventId, timestamp: stamp(now()) }
    },
  )

  app.post(
    '/api/v1/proxy/rotate',
    {
      onRequest,
      preValidation: emptyBodyIsObject,
      schema: {
        summary: 'Rotate one device, or all in turn',
        tags,
        body: fleetRotateRequest,
        response: { 202: fleetRotateReply, ...problemReplies },
      },
    },
    async (request, reply) => {
      const { device: ref, ...wish } = request.body
      if (ref !== undefined) {
        const result = await rotations.request(deviceOf(context, ref), wish)
        if ('code' in result) throw refused(result)
        return reply.code(202).send({ rotations: [rotationJson(result)], refused: [] })
      }
      const batchId = newId()
      const answers: z.output<typeof fleetRotateReply> = { rotations: [], refused: [], batch_id: batchId }
      const devices = fleet.devices.filter((candidate: Device) => !isPending(candidate))
      const results = await rotations.requestAll(devices, { ...wish, batchId })
      for (const [n, device] of devices.entries()) {
        const result = results[n]
        if (!result) continue
        if ('code' in result) answers.refused.push({ device: device.name, code: result.code, detail: result.detail })
        else answers.rotations.push(rotationJson(result))
      }
      return reply.code(202).send(answers)
    },
  )
  done()
}

const matches =
  (wanted: z.output<typeof filter>) =>
  (device: ReturnType<typeof deviceJson>): boolean =>
    (wanted.operator === undefined || isSameText(device.operator, wanted.operator)) &&
    (wanted.region === undefined || isSameText(device.region, wanted.region)) &&
    (wanted.tag === undefined || device.tags.some((tag) => isSameText(tag, wanted.tag ?? ''))) &&
    (wanted.type === undefined || device.device_type === wanted.type) &&
    (wanted.status === undefined || device.status === wanted.status)

const isSameText = (a: string | null, b: string): boolean => a !== null && a.toLowerCase() === b.toLowerCase()
