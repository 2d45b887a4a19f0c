import type { AlertRule } from '@mobilepool/sdk/contract'
import type { FleetEvent } from '../fleet/events.ts'
import type { Alerts } from './alerts.ts'
import type { Finding } from './episode.ts'
import type { RuleBook } from './rule-book.ts'
import { BanStorms } from './rules/ban-storms.ts'
import { batteryFindings } from './rules/batteries.ts'
import { DataCaps } from './rules/data-caps.ts'
import { flappingFindings } from './rules/flapping.ts'
import { IpChanges } from './rules/ip-changes.ts'
import { RefusedLimits } from './rules/refused-limits.ts'
import { silenceFindings } from './rules/silence.ts'
import type { Firing } from './rules/subjects.ts'
import { successFindings } from './rules/success-rate.ts'
import { UsedQuotas } from './rules/used-quotas.ts'
import type { Sights } from './sights.ts'

/** Looks at the fleet with every rule: hears its events, and says at each look what is bad and what is well. */
export class Watch {
  readonly #sights: Sights
  readonly #rules: RuleBook
  readonly #now: () => number
  readonly #dataCaps = new DataCaps()
  readonly #bans = new BanStorms()
  readonly #limits = new RefusedLimits()
  readonly #quotas = new UsedQuotas()
  readonly #ipChanges = new IpChanges()

  constructor(sights: Sights, rules: RuleBook, now: () => number) {
    this.#sights = sights
    this.#rules = rules
    this.#now = now
  }

  /** Something happened in the fleet. */
  hear(event: FleetEvent): void {
    switch (event.type) {
      case 'device_removed':
        this.#sights.rotations.forget(event.id)
        this.#dataCaps.forget(event.id)
        break
      case 'rotation':
        this.#sights.rotations.see(event.rotation)
        break
      case 'quarantine':
        this.#bans.see(event.records, this.#now())
        break
      case 'ip_changed':
        this.#ipChanges.see(event)
        break
      case 'data_plan':
        this.#dataCaps.see(event.id)
        break
      case 'limit_exceeded':
        this.#quotas.see(event)
        break
      case 'limit_refused':
        this.#limits.see(event)
        break
    }
  }

  /** What every rule finds now. */
  look(alerts: Pick<Alerts, 'firing' | 'find'>): Finding[] {
    const now = this.#now()
    const { devices: allDevices, exits, rates, dataPlans, rotations: outcomes, isUsedUp, database } = this.#sights
    const devices = allDevices()
    const firing = (rule: AlertRule): Firing => ({ all: alerts.firing(rule), find: (id) => alerts.find(rule, id) })
    const of = (rule: AlertRule) => this.#rules.of(rule)
    const rotations = { rotation_failed: of('rotation_failed'), same_ip: of('same_ip'), egress_leak: of('egress_leak') }
    return [
      ...database.findings(firing('database_trouble'), of('database_trouble'), now),
      ...flappingFindings(devices, firing('flapping'), of('flapping')),
      ...silenceFindings(devices, firing('device_silent'), of('device_silent'), now),
      ...successFindings(rates(of('success_rate').window ?? 0), devices, firing('success_rate'), of('success_rate')),
      ...outcomes.findings(
        devices,
        { rotation_failed: firing('rotation_failed'), same_ip: firing('same_ip'), egress_leak: firing('egress_leak') },
        rotations,
      ),
      ...this.#limits.findings(firing('limits_exceeded'), of('limits_exceeded'), now),
      ...this.#quotas.findings(isUsedUp, firing('limits_exceeded'), of('limits_exceeded')),
      ...this.#bans.findings(exits(), firing('ban_storm'), of('ban_storm'), now),
      ...this.#dataCaps.findings(dataPlans, devices, firing('data_cap'), of('data_cap')),
      ...batteryFindings(devices, firing('low_battery'), of('low_battery')),
      ...this.#ipChanges.take(of('ip_changed')),
    ]
  }
}
