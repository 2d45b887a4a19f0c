import type { Finding } from '../episode.ts'
import type { RuleSettings } from '../rule-settings.ts'
import { type DeviceMap, deviceSubject, type Firing, whyOver } from './subjects.ts'

/** A battery must rise this far above the threshold, per cent, so that one at its edge is not an alert every minute. */
const MARGIN = 5

/** Batteries at or below the threshold, and those that are charged again. */
export function batteryFindings(devices: DeviceMap, firing: Firing, { threshold, severity }: RuleSettings): Finding[] {
  const findings: Finding[] = []
  for (const device of devices.values()) {
    const { name, battery, isExempt } = device
    if (battery === null || isExempt) continue
    const isBad = battery <= threshold
    const isWell = battery >= Math.min(100, threshold + MARGIN) && firing.find(device.id) !== null
    if (!isBad && !isWell) continue
    findings.push({
      rule: 'low_battery',
      subject: deviceSubject(device),
      verdict: isBad ? 'bad' : 'good',
      severity,
      title: isBad ? `${name}: battery at ${battery} %` : `${name}: battery is back at ${battery} %`,
      detail: isBad ? 'Its charger may be off, or too weak for its traffic.' : '',
      value: battery,
    })
  }
  for (const { subject } of firing.all) {
    const over = whyOver(devices.get(subject.id), subject.name)
    if (over) findings.push({ rule: 'low_battery', subject, verdict: 'over', severity, ...over })
  }
  return findings
}
