import { expect, test } from 'vitest'
import { type Device, newPendingDevice } from '../fleet/device.ts'
import { type FleetEvent, FleetEvents } from '../fleet/events.ts'
import type { UsageEntry } from '../store/index.ts'
import { DataPlans, type DataPlansParts } from './data-plans.ts'

test('80 % and all of a data plan are told once a month', async () => {
  let now = Date.parse('2026-11-23T04:00:00Z')
  const seoul = {
    ...newPendingDevice('id-1', 'seoul-01', now, { rotationInterval: 600, requestsPerMinute: null }),
    dataCapBytes: 1_000,
  } as Device
  const events = new FleetEvents()
  const told: FleetEvent[] = []
  events.on('event', (event) => told.push(event))
  const stored = new Map([['id-1', 500]])
  const store = { statistics: { bytesSince: async () => stored } } as unknown as DataPlansParts['store']
  const plans = new DataPlans({
    store,
    events,
    dataPlanPercent: () => 80,
    now: () => now,
    fleet: { devices: [seoul], find: (id: string) => (id === 'id-1' ? seoul : null) },
  })
  const use = (bytesIn: number): void => plans.add([{ deviceId: 'id-1', bytesIn, bytesOut: 0, at: now } as UsageEntry])
  const levels = () => told.map((event) => (event.type === 'data_plan' ? [event.percent, event.usedBytes] : []))
  await plans.load()
  use(299)
  expect(levels()).toEqual([])
  use(1)
  use(100)
  await plans.load()
  use(500)
  use(1)
  expect(levels()).toEqual([
    [80, 800],
    [100, 1_000],
  ])
  // A plan that grew to 2,000 bytes has its 80 % to be used again.
  seoul.dataCapBytes = 2_000
  use(0)
  expect(levels()).toHaveLength(2)
  use(599)
  expect(levels().slice(2)).toEqual([[80, 1_600]])
  seoul.dataCapBytes = 1_000
  now = Date.parse('2026-12-01T00:00:00Z')
  expect(plans.all().get('id-1')).toEqual({ since: now, capBytes: 1_000, usedBytes: 0 })
  use(850)
  expect(levels().at(-1)).toEqual([80, 850])
})
