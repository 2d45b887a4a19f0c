import {
  deviceList,
  device as deviceSchema,
  fleetRotateReply,
  fleetRotateRequest,
  operatorList,
  operatorQuery,
  proxyListQuery,
  proxyQuery,
  proxyServiceStatus,
} from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { refused } from '../errors.ts'
import { type Device, isPending } from '../fleet/device.ts'
import { matcher, pageOf } from '../fleet/selection.ts'
import { version } from '../version.ts'
import { deviceOf, needs } from './access.ts'
import { emptyBodyIsObject } from './body.ts'
import type { Routes } from './context.ts'
import { beginningOf, listText, plainJson, selectionOf, sendDevices, sendJson } from './device-list.ts'
import { deviceJson } from './device-wire.ts'
import { problemReplies } from './problem.ts'
import { byOperator, isAvailable, meant, noDevice, proxyUrlFor, sendLines } from './proxy-choice.ts'
import { rotationJson } from './rotation-wire.ts'
import { stamp } from './stamp.ts'

/** JSON, or with `format=txt` proxy URLs, one a line. */
const listedAs = <T extends z.ZodType>(schema: T) => ({
  description: 'JSON; with format=txt proxy URLs, one a line',
  content: { 'application/json': { schema }, 'text/plain': { schema: z.string() } },
})

/** `/api/v1/proxy`: the fleet as clients see it. */
export const proxyRoutes: Routes = (context) => (app, _options, done) => {
  const { fleet, rotations, quarantines, store, random, now, newId } = context
  const onRequest = needs(context, 'proxy', 'admin')
  const tags = ['proxy']
  const startedAt = now()

  app.get(
    '/api/v1/proxy/list',
    {
      onRequest,
      serializerCompiler: plainJson,
      schema: {
        summary: 'The adopted devices; with format=txt the proxy URLs of those that can be used now, one a line',
        tags,
        querystring: proxyListQuery,
        response: { 200: listedAs(deviceList), ...problemReplies },
      },
    },
    (request, reply) => {
      const { limit = Number.POSITIVE_INFINITY, after, format, available = format === 'txt' && !request.query.status } = request.query
      const isMeant = meant(context, request.query)
      const isWanted = available ? (device: Device) => isMeant(device) && isAvailable(context, device) : isMeant
      const page = pageOf(fleet.devices, fleet, isWanted, { sort: 'name', isDown: false, limit, after: beginningOf(after) })
      if (format === 'txt')
        sendLines(
          reply,
          page.devices.map((device) => proxyUrlFor(request, device, fleet)),
        )
      else sendDevices(context, reply, page)
    },
  )

  app.get(
    '/api/v1/proxy/random',
    {
      onRequest,
      schema: {
        summary: 'One device that can be used now, by chance, in proportion to the weights',
        tags,
        querystring: proxyQuery,
        response: { 200: listedAs(deviceSchema), ...problemReplies },
      },
    },
    (request, reply) => {
      const isMeant = meant(context, request.query)
      const isText = request.query.format === 'txt'
      const isUsable = (device: Device) => isAvailable(context, device) && (!isText || proxyUrlFor(request, device, fleet) !== null)
      const one = fleet.raffle.draw((device) => isMeant(device) && isUsable(device), random)
      if (!one) throw noDevice(context, fleet.devices.filter(isMeant))
      reply.header('cache-control', 'no-store')
      return isText ? sendLines(reply, [proxyUrlFor(request, one, fleet)]) : deviceJson(one, fleet)
    },
  )

  app.get(
    '/api/v1/proxy/by-operator',
    {
      onRequest,
      serializerCompiler: plainJson,
      schema: {
        summary: 'The devices that can be used now, by their operators',
        tags,
        querystring: operatorQuery,
        response: { 200: listedAs(operatorList), ...problemReplies },
      },
    },
    (request, reply) => {
      const { limit, ...query } = request.query
      const groups = byOperator(context, fleet.devices.filter(meant(context, query))).map(({ usable, ...group }) => ({
        ...group,
        available: usable.length,
        listed: usable.slice(0, limit),
      }))
      if (request.query.format === 'txt')
        return sendLines(
          reply,
          groups.flatMap(({ listed }) => listed.map((device) => proxyUrlFor(request, device, fleet))),
        )
      function* text(): Generator<string> {
        for (const [index, { listed, ...group }] of groups.entries()) {
          yield `${index === 0 ? '{"operators":[' : ','}${JSON.stringify(group).slice(0, -1)},"devices":`
          yield* listText(listed, (device) => deviceJson(device, fleet))
          yield '}'
        }
        yield `${groups.length === 0 ? '{"operators":[' : ''}],"timestamp":${JSON.stringify(stamp(now()))}}`
      }
      return sendJson(
        reply,
        text(),
        groups.reduce((sum, { listed }) => sum + listed.length, 0),
      )
    },
  )

  app.get(
    '/api/v1/proxy/status',
    {
      onRequest: needs(context, 'read', 'proxy', 'admin'),
      schema: { summary: 'How the service is: what can be used now', tags, response: { 200: proxyServiceStatus, ...problemReplies } },
    },
    async (_request, reply) => {
      reply.header('cache-control', 'no-store')
      const adopted = fleet.devices.filter((device) => !isPending(device))
      const devices = { online: 0, offline: 0, busy: 0, maintenance: 0, rotating: 0 }
      for (const device of adopted) {
        const status = fleet.status(device)
        if (status !== 'pending') devices[status] += 1
      }
      const groups = byOperator(context, adopted)
      const available = groups.reduce((sum, { usable }) => sum + usable.length, 0)
      const database = await store.ping().then(
        () => 'up' as const,
        () => 'down' as const,
      )
      return {
        status: available === 0 ? ('no_device' as const) : database === 'up' ? ('ok' as const) : ('degraded' as const),
        total: adopted.length,
        available,
        devices,
        operators: groups.map(({ operator, total, usable }) => ({ operator, total, available: usable.length })),
        quarantines: quarantines.live.length,
        database,
        version,
        uptime_s: Math.floor((now() - startedAt) / 1000),
        timestamp: stamp(now()),
      }
    },
  )

  app.post(
    '/api/v1/proxy/rotate',
    {
      onRequest,
      preValidation: emptyBodyIsObject,
      schema: {
        summary: 'Rotate one device, or all that match, a share of the fleet at a time (ROTATION_MAX_PARALLEL)',
        tags,
        body: fleetRotateRequest,
        response: { 202: fleetRotateReply, ...problemReplies },
      },
    },
    async (request, reply) => {
      const { device: ref, operator, region, type, tag, status, search, ...wish } = request.body
      if (ref !== undefined) {
        const result = await rotations.request(deviceOf(context, ref), wish)
        if ('code' in result) throw refused(result)
        return reply.code(202).send({ rotations: [rotationJson(result)], refused: [] })
      }
      const isSelected = matcher(selectionOf({ operator, region, type, tag, status, search }), fleet)
      const chosen = fleet.devices.filter((device) => !isPending(device) && isSelected(device))
      const batchId = newId()
      const answers: z.output<typeof fleetRotateReply> = { rotations: [], refused: [], batch_id: batchId }
      const results = await rotations.requestAll(chosen, { ...wish, batchId })
      for (const [n, device] of chosen.entries()) {
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
