import type { Finding } from '../episode.ts'
import type { RuleSettings } from '../rule-settings.ts'
import { type DeviceMap, deviceSubject, type Firing } from './subjects.ts'

/** What a SIM has used of its plan this month. */
export interface DataUse {
  usedBytes: number
  capBytes: number
}

/** The data plans as they stand. */
export interface DataPlanView {
  /** Of every device that has one. */
  all: () => ReadonlyMap<string, DataUse>
  /** Of one device; null: it has none. */
  of: (deviceId: string) => DataUse | null
}

/**
 * Data plans of which the threshold's share is used, critical when all of it is; over when a new month begins or the plan grows.
 * Which plans pass the threshold is told by events; all of them are looked at only where no event tells: at the start, and when the
 * threshold is lowered.
 */
export class DataCaps {
  /** Devices that passed it, as far as is known. */
  readonly #passed = new Set<string>()
  #scannedAt = Number.POSITIVE_INFINITY

  /** A device's use has passed the threshold. */
  see(deviceId: string): void {
    this.#passed.add(deviceId)
  }

  forget(deviceId: string): void {
    this.#passed.delete(deviceId)
  }

  findings(plans: DataPlanView, devices: DeviceMap, firing: Firing, { threshold, severity }: RuleSettings): Finding[] {
    if (threshold < this.#scannedAt) for (const [id, use] of plans.all()) if (percentOf(use) >= threshold) this.#passed.add(id)
    this.#scannedAt = threshold
    const findings: Finding[] = []
    for (const id of new Set([...this.#passed, ...firing.all.map(({ subject }) => subject.id)])) {
      const device = devices.get(id)
      const use = plans.of(id)
      if (!device || !use) {
        this.#passed.delete(id)
        const alert = firing.find(id)
        if (!alert) continue
        const { subject } = alert
        const title = device ? `${device.name} has no data plan any more` : `${subject.name} was removed`
        findings.push({ rule: 'data_cap', subject, verdict: 'over', severity, title, detail: '' })
        continue
      }
      if (device.isExempt) continue
      const value = percentOf(use)
      const isUsedUp = value >= 100
      const isBad = value >= threshold
      if (!isBad) this.#passed.delete(id)
      if (!isBad && !firing.find(id)) continue
      findings.push({
        rule: 'data_cap',
        subject: deviceSubject(device),
        verdict: isBad ? 'bad' : 'good',
        severity: isUsedUp ? 'critical' : severity,
        title: isBad
          ? `${device.name}: ${isUsedUp ? 'its data plan is used up' : `${value} % of its data plan is used`}`
          : `${device.name}: data again`,
        detail: `${gigabytes(use.usedBytes)} of ${gigabytes(use.capBytes)} this month.`,
        value,
      })
    }
    return findings
  }
}

const percentOf = ({ usedBytes, capBytes }: DataUse): number => (capBytes <= 0 ? 100 : Math.floor((usedBytes / capBytes) * 100))

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`
