import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { Alerts } from '../src/alerts/alerts.ts'
import { ChannelList } from '../src/alerts/channel-list.ts'
import { Dispatcher } from '../src/alerts/dispatcher.ts'
import { RuleBook } from '../src/alerts/rule-book.ts'
import { DatabaseHealth } from '../src/alerts/rules/database.ts'
import { RotationOutcomes } from '../src/alerts/rules/rotation-outcomes.ts'
import { sightsOf } from '../src/alerts/sights.ts'
import { Watch } from '../src/alerts/watch.ts'
import { WithoutDatabase } from '../src/alerts/without-database.ts'
import { FleetEvents } from '../src/fleet/events.ts'
import { Fleet } from '../src/fleet/fleet.ts'
import { Vigilance } from '../src/fleet/vigilance.ts'
import { openStore, type Store } from '../src/store/index.ts'
import { T0 } from './alert-samples.ts'
import { deviceSettings } from './records.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const S = 1_000
const MIN = 60 * S

let dataDir: string
let store: Store
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-silence-'))
  store = await openStore({ dataDir, databaseUrl: null, databasePoolSize: 4, secretKey: 'the operator’s own secret' })
})
afterAll(async () => {
  await store.close()
  await rm(dataDir, { recursive: true, force: true })
})

/** The clock of the story. */
let now = T0
const clock = () => now

/** What of a hub watches over devices: it looks once in ten seconds, when the story says so. */
async function watchers() {
  const log = pino({ level: 'silent' })
  const events = new FleetEvents()
  const rules = await RuleBook.load({ store: store.alertSettings, deliveries: store.alertDeliveries, silentAfterMs: 5 * MIN })
  const options = {
    maxDevices: 50,
    newNamesPerMinute: 100,
    timeouts: { agentMs: 60 * S, bareMs: 80 * S },
    newDevice: { rotationInterval: 600, requestsPerMinute: null },
    vigil: () => rules.vigil,
  }
  const fleet = await Fleet.load(options, { store, events, log, now: clock, newId: randomUUID })
  const channels = await ChannelList.load({ store: store.alertChannels, log, now: clock, newId: randomUUID }, [])
  const send = () => Promise.reject(new Error('there is no channel'))
  const dial = () => Promise.reject(new Error('there is no channel'))
  const dispatcher = new Dispatcher({
    store: store.alertDeliveries,
    channels,
    send,
    dial,
    heldUntil: () => null,
    log,
    now: clock,
    random: () => 0,
  })
  const withoutDatabase = new WithoutDatabase({ store, dispatcher, rules, now: clock })
  const alerts = await Alerts.load({
    ...{ store, rules, channels, dispatcher, withoutDatabase, events, log },
    now: clock,
    newId: randomUUID,
  })
  const database = new DatabaseHealth(() => store.ping(), clock)
  const sights = sightsOf({
    fleet,
    rates: () => ({ fleet: { attempts: 0, succeeded: 0 }, devices: new Map() }),
    isUsedUp: () => false,
    dataPlans: { all: () => new Map(), of: () => null },
    rotations: new RotationOutcomes(),
    database,
  })
  const watch = new Watch(sights, rules, clock)
  const flappingSince = (id: string) => alerts.find('flapping', id)?.startedAt ?? null
  const vigilance = new Vigilance({ fleet, store, settings: () => rules.vigil, flappingSince, log })
  return {
    fleet,
    alerts,
    hear: (name: string) => fleet.hear(name, '127.10.0.1'),
    async look() {
      // Real time passes for the database alone.
      database.ask()
      await store.ping()
      fleet.tick()
      vigilance.tick()
      await alerts.take(watch.look(alerts).filter(({ rule }) => rule !== 'database_trouble'))
    },
    async close() {
      await vigilance.close()
      await fleet.close()
      await alerts.close()
      await dispatcher.close()
    },
  }
}
type Watchers = Awaited<ReturnType<typeof watchers>>

let hub: Watchers
let name: string
beforeEach(async () => {
  name = `kazan-${randomUUID()}`
  hub = await watchers()
  await hub.fleet.put(deviceSettings(name))
})

/** Minutes in which the device is heard once in `everyMs`, from now on; 0: not at all. */
async function live(minutes: number, everyMs: number): Promise<void> {
  const end = now + minutes * MIN
  for (; now < end; now += 10 * S) {
    if (everyMs > 0 && (now - T0) % everyMs === 0) hub.hear(name)
    await hub.look()
  }
}
async function restart(downMinutes = 0): Promise<void> {
  await hub.close()
  await store.pulse.beat(now)
  now += downMinutes * MIN
  hub = await watchers()
}
const told = async () =>
  (await store.alerts.list({ subject: hub.fleet.findByName(name)?.id, limit: 50 }))
    .toReversed()
    .map(({ rule, resolvedAt }) => `${rule} ${resolvedAt === null ? 'fires' : 'over'}`)
const condition = () => {
  const device = hub.fleet.findByName(name)
  return device && hub.fleet.condition(device)
}

test('one outage is one alert and one recovery, and the device’s condition says the same', async () => {
  await live(5, MIN)
  expect([await told(), condition()]).toEqual([[], 'steady'])
  const lastHeard = hub.fleet.findByName(name)?.lastHeartbeat ?? 0
  await live(3, 0)
  expect([await told(), condition()]).toEqual([[], 'late'])
  await live(10, 0)
  expect([await told(), condition()]).toEqual([['device_silent fires'], 'silent'])
  const backAt = now
  await live(1, MIN)
  expect([await told(), condition()]).toEqual([['device_silent fires'], 'recovering'])
  await live(5, MIN)
  expect([await told(), condition()]).toEqual([['device_silent over'], 'steady'])
  const [alert] = await store.alerts.list({ subject: hub.fleet.findByName(name)?.id, limit: 1 })
  expect([alert?.startedAt, alert?.resolvedAt]).toEqual([lastHeard, backAt])
  await hub.close()
})

test('a hub that is restarted meanwhile tells neither twice', async () => {
  await live(2, MIN)
  await live(8, 0)
  expect(await told()).toEqual(['device_silent fires'])
  await restart()
  await live(5, 0)
  expect(await told()).toEqual(['device_silent fires'])
  await live(1, MIN)
  await restart()
  await live(4, MIN)
  expect([await told(), condition()]).toEqual([['device_silent over'], 'steady'])
  await hub.close()
})

test('what the hub did not hear while it was away itself is no outage', async () => {
  await live(3, MIN)
  await live(3, 0)
  await restart(60)
  await live(4, 0)
  expect(await told()).toEqual([])
  await live(5, MIN)
  expect([await told(), condition()]).toEqual([[], 'steady'])
  await hub.close()
})

test('a device that comes and goes is one alert about that, over a restart too, and none about each silence', async () => {
  for (let turn = 0; turn < 5; turn++) {
    await live(1, MIN)
    await live(6, 0)
  }
  // Its first silence lasted long enough to be told before anybody could know.
  const first = await told()
  expect(first).toEqual(['device_silent fires', 'flapping fires'])
  await restart()
  for (let turn = 0; turn < 3; turn++) {
    await live(1, MIN)
    await live(6, 0)
  }
  expect([await told(), condition()]).toEqual([first, 'flapping'])
  await live(40, MIN)
  expect([await told(), condition()]).toEqual([['device_silent over', 'flapping over'], 'steady'])
  await hub.close()
})
