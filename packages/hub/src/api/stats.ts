import { deviceRef, deviceStats, statsOverview, statsQuery } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { isPending } from '../fleet/device.ts'
import { isUp } from '../fleet/status.ts'
import { seriesOf } from '../stats/sums.ts'
import { deviceOf, needs } from './access.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'
import { dividedRange } from './stats-query.ts'
import { dataPlanJson, dividedJson, rotationSumsJson } from './stats-wire.ts'

const TOP_SITES = 10

/** `/api/v1/stats/overview` and `/api/v1/admin/devices/{id}/stats`: how a time went, for the fleet or for one device. */
export const statsRoutes: Routes = (context) => (app, _options, done) => {
  const { store, fleet, now } = context

  app.get(
    '/api/v1/stats/overview',
    {
      onRequest: needs(context, 'read', 'proxy', 'admin'),
      schema: {
        summary: 'The fleet’s requests over a time, in hours or days, with addresses, rotations and the busiest sites',
        tags: ['statistics'],
        querystring: statsQuery,
        response: { 200: statsOverview, ...problemReplies },
      },
    },
    async (request) => {
      const range = dividedRange(request.query, now())
      const { from, to } = range
      const [hours, sites, { unique, repeated }, rotations] = await Promise.all([
        store.statistics.hours({ sites: [''] }, from, to),
        store.statistics.topSites(from, to, TOP_SITES),
        store.statistics.exits({ from, to, limit: 0, offset: 0 }),
        store.statistics.rotations({ from, to }),
      ])
      const adopted = fleet.devices.filter((device) => !isPending(device))
      return {
        ...dividedJson(range, seriesOf(hours, range)),
        devices: { total: adopted.length, online: adopted.filter((device) => isUp(fleet.status(device))).length },
        ips: { unique, repeated },
        rotations: rotationSumsJson(rotations),
        sites: sites.map((site) => ({ ...site, success_rate: site.requests === 0 ? null : site.successful / site.requests })),
      }
    },
  )

  app.get(
    '/api/v1/admin/devices/:id/stats',
    {
      onRequest: needs(context, 'admin'),
      schema: {
        summary: 'A device’s requests over a time, in hours or days, with its addresses, rotations and data plan',
        tags: ['statistics', 'devices'],
        params: z.object({ id: deviceRef }),
        querystring: statsQuery,
        response: { 200: deviceStats, ...problemReplies },
      },
    },
    async (request) => {
      const device = deviceOf(context, request.params.id)
      const range = dividedRange(request.query, now())
      const { from, to } = range
      const deviceIds = [device.id]
      const [hours, { unique, repeated }, rotations] = await Promise.all([
        store.statistics.hours({ deviceIds }, from, to),
        store.statistics.exits({ from, to, deviceIds, limit: 0, offset: 0 }),
        store.statistics.rotations({ deviceId: device.id, from, to }),
      ])
      return {
        device: { id: device.id, name: device.name },
        ...dividedJson(range, seriesOf(hours, range)),
        ips: { unique, repeated },
        rotations: rotationSumsJson(rotations),
        data_plan: dataPlanJson(device, fleet),
      }
    },
  )
  done()
}
