import { type DeviceStatsSort, deviceStatsList, deviceStatsQuery } from '@mobilepool/sdk/contract'
import { type Device, isPending } from '../fleet/device.ts'
import { matcher } from '../fleet/selection.ts'
import { type RankedPlace, rank } from '../stats/ranking.ts'
import { addCounts } from '../stats/sums.ts'
import { noCounts, type UsageCounts } from '../store/index.ts'
import { needs } from './access.ts'
import type { Routes } from './context.ts'
import { selectionOf } from './device-list.ts'
import { problemReplies } from './problem.ts'
import { summedRange, wrong } from './stats-query.ts'
import { dataPlanJson, rangeJson, sumsJson } from './stats-wire.ts'

const groupKeys = {
  operator: ({ operator }: Device) => operator,
  region: ({ region }: Device) => region,
  type: ({ deviceType }: Device) => deviceType,
} as const

/** `GET /api/v1/stats/devices`: what went through each device, or through those of each operator, region or type. */
export const statsDeviceRoutes: Routes = (context) => (app, _options, done) => {
  const { store, fleet, now } = context

  app.get(
    '/api/v1/stats/devices',
    {
      onRequest: needs(context, 'read', 'proxy', 'admin'),
      schema: {
        summary: 'Requests, rates, times, bytes and data plans by device; or by operator, region or type',
        tags: ['statistics'],
        querystring: deviceStatsQuery,
        response: { 200: deviceStatsList, ...problemReplies },
      },
    },
    async (request) => {
      const { by, sort: asked = by === 'device' ? 'name' : '-requests', limit, after, period, from, to, ...filters } = request.query
      const range = summedRange({ period, from, to }, now())
      const isDown = asked.startsWith('-')
      const sort = (isDown ? asked.slice(1) : asked) as DeviceStatsSort
      const paging = { sort, isDown, limit, after: placeOf(after) }
      const isMeant = matcher(selectionOf(filters), fleet)
      const devices = fleet.devices.filter((device) => !isPending(device) && isMeant(device))
      const sums = (of: readonly Device[], hasLatency: boolean): Promise<Map<string, UsageCounts>> =>
        store.statistics.deviceSums({ ...range, deviceIds: of.map(({ id }) => id), hasLatency })

      if (by !== 'device') {
        const counts = await sums(devices, true)
        const groups = new Map<string | null, { name: string; key: string | null; devices: number; counts: UsageCounts }>()
        for (const device of devices) {
          const key = groupKeys[by](device)
          const group = groups.get(key) ?? { name: key ?? '', key, devices: 0, counts: noCounts() }
          groups.set(key, group)
          group.devices++
          addCounts(group.counts, counts.get(device.id) ?? noCounts())
        }
        const { page, next } = rank([...groups.values()], paging)
        return {
          ...rangeJson(range),
          total: groups.size,
          devices: [],
          groups: page.map(({ key, devices: many, counts: of }) => ({ key, devices: many, ...sumsJson(of) })),
          next: next && cursorOf(next),
        }
      }

      // In the order of names only the page's own rows are read.
      const ranks = sort === 'name' ? null : await sums(devices, false)
      const ranked = devices.map((device) => ({ name: device.name, device, counts: ranks?.get(device.id) ?? noCounts() }))
      const { page, next } = rank(ranked, paging)
      const counts = await sums(
        page.map(({ device }) => device),
        true,
      )
      return {
        ...rangeJson(range),
        total: devices.length,
        devices: page.map(({ device }) => ({
          id: device.id,
          name: device.name,
          device_type: device.deviceType,
          operator: device.operator,
          region: device.region,
          ...sumsJson(counts.get(device.id) ?? noCounts()),
          data_plan: dataPlanJson(device, fleet),
        })),
        groups: [],
        next: next && cursorOf(next),
      }
    },
  )
  done()
}

const cursorOf = ({ key, name }: RankedPlace): string => Buffer.from(JSON.stringify([key, name])).toString('base64url')

function placeOf(cursor: string | undefined): RankedPlace | null {
  if (cursor === undefined) return null
  try {
    const [key, name, ...rest] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
    if ((key === null || typeof key === 'number') && typeof name === 'string' && rest.length === 0) return { key, name }
  } catch {
    // Told below.
  }
  throw wrong('after', 'must be "next" of the page before')
}
