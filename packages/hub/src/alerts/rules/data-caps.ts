import type { Finding } from '../episode.ts'
import type { RuleSettings } from '../rule-settings.ts'
import { type DeviceMap, deviceSubject, type Firing } from './subjects.ts'

/** What a SIM has used of its plan this month. */
export interface DataUse {
  usedBytes: number
  capBytes: number
}

/** Data plans of which the threshold's share is used, critical when all of it is; over when a new month begins or the plan grows. */
export function dataCapFindings(
  plans: ReadonlyMap<string, DataUse>,
  devices: DeviceMap,
  firing: Firing,
  { threshold, severity }: RuleSettings,
): Finding[] {
  const findings: Finding[] = []
  for (const [id, { usedBytes, capBytes }] of plans) {
    const device = devices.get(id)
    if (!device || device.isExempt || capBytes <= 0) continue
    const value = Math.floor((usedBytes / capBytes) * 100)
    const isUsedUp = value >= 100
    const isBad = value >= threshold
    if (!isBad && !firing.find(id)) continue
    findings.push({
      rule: 'data_cap',
      subject: deviceSubject(device),
      verdict: isBad ? 'bad' : 'good',
      severity: isUsedUp ? 'critical' : severity,
      title: isBad
        ? `${device.name}: ${isUsedUp ? 'its data plan is used up' : `${value} % of its data plan is used`}`
        : `${device.name}: data again`,
      detail: `${gigabytes(usedBytes)} of ${gigabytes(capBytes)} this month.`,
      value,
    })
  }
  for (const { subject } of firing.all)
    if (!devices.has(subject.id) || !plans.has(subject.id)) {
      const title = devices.has(subject.id) ? `${subject.name} has no data plan any more` : `${subject.name} was removed`
      findings.push({ rule: 'data_cap', subject, verdict: 'over', severity, title, detail: '' })
    }
  return findings
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`
