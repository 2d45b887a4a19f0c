import type { Logger } from 'pino'
import type { FleetEvent, FleetEvents } from '../fleet/events.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { Dial } from '../outbound/dialer.ts'
import type { Send } from '../outbound/outbound.ts'
import { isDatabaseDown, type Store } from '../store/index.ts'
import { Alerts } from './alerts.ts'
import { ChannelList, type EnvironmentChannel } from './channel-list.ts'
import { Dispatcher } from './dispatcher.ts'
import { NewsOfOtherHubs } from './news-of-other-hubs.ts'
import { RotationRecall } from './rotation-recall.ts'
import type { RuleBook } from './rule-book.ts'
import type { DataPlanView } from './rules/data-caps.ts'
import { DatabaseHealth } from './rules/database.ts'
import { RotationOutcomes } from './rules/rotation-outcomes.ts'
import type { Rates } from './rules/success-rate.ts'
import { sightsOf } from './sights.ts'
import { Watch } from './watch.ts'
import { WithoutDatabase } from './without-database.ts'

/** How often the rules look. Thresholds are minutes. */
const LOOK_MS = 5_000
/** What is over is kept as long as statistics are. */
const KEPT_MS = 90 * 86_400_000
const PRUNE_EVERY_MS = 3_600_000

export interface AlertingParts {
  store: Store
  fleet: Fleet
  events: FleetEvents
  rules: RuleBook
  send: Send
  dial: Dial
  environment: readonly EnvironmentChannel[]
  /** Other hubs work on this database. */
  isShared: boolean
  /** Attempts of the latest so many seconds. */
  rates: (windowSeconds: number) => Rates
  /** What SIMs have used of their plans. */
  dataPlans: DataPlanView
  /** Whether all requests of a user or a key are used. */
  isUsedUp: (of: 'user' | 'key', id: string) => boolean
  log: Logger
  now: () => number
  newId: () => string
}

/** Alerts as the API works with them. */
export interface Alerting {
  readonly alerts: Alerts
  readonly rules: RuleBook
  readonly channels: ChannelList
  readonly dispatcher: Dispatcher
  /** Stops looking and sending; what waits is sent by the next start. */
  close(): Promise<void>
}

/** Starts the rules and the sending of what they find. @throws HubError `database_down` */
export async function startAlerting(parts: AlertingParts): Promise<Alerting> {
  const { store, events, rules, send, dial, log, now, newId } = parts
  const channels = await ChannelList.load({ store: store.alertChannels, log, now, newId }, parts.environment)
  const dispatcher = new Dispatcher({
    store: store.alertDeliveries,
    channels,
    send,
    dial,
    heldUntil: ({ alert }, at) => rules.heldUntil(alert, at),
    log,
    now,
    random: Math.random,
  })
  const withoutDatabase = new WithoutDatabase({ store, dispatcher, rules, now })
  const alerts = await Alerts.load({ store, rules, channels, dispatcher, withoutDatabase, events, log, now, newId })
  const database = new DatabaseHealth(() => store.ping(), now)
  const outcomes = new RotationOutcomes()
  for (const rule of ['rotation_failed', 'same_ip', 'egress_leak'] as const)
    for (const { subject } of alerts.firing(rule)) outcomes.ask(subject.id)
  const recall = new RotationRecall({ store, outcomes, log })
  const watch = new Watch(
    sightsOf({
      fleet: parts.fleet,
      rates: parts.rates,
      dataPlans: parts.dataPlans,
      isUsedUp: parts.isUsedUp,
      rotations: outcomes,
      database,
    }),
    rules,
    now,
  )

  const news = parts.isShared ? new NewsOfOtherHubs({ rules, channels, log }) : null

  const hear = (event: FleetEvent): void => watch.hear(event)
  events.on('event', hear)
  const look = (): void => {
    database.ask()
    withoutDatabase.tick()
    dispatcher.poll()
    recall.tick()
    news?.tick()
    // An answer that does not come must not pile up looks.
    if (!alerts.isBusy) void alerts.take(watch.look(alerts))
  }
  const looking = setInterval(look, LOOK_MS)
  const pruning = setInterval(() => {
    store.alerts.prune(now() - KEPT_MS).catch((error: unknown) => {
      if (!isDatabaseDown(error)) log.error({ err: error }, 'Old alerts could not be deleted.')
    })
  }, PRUNE_EVERY_MS)

  return {
    alerts,
    rules,
    channels,
    dispatcher,
    async close() {
      clearInterval(looking)
      clearInterval(pruning)
      events.off('event', hear)
      await Promise.all([alerts.close(), dispatcher.close(), recall.close(), news?.close()])
    },
  }
}
