import type { Finding } from '../episode.ts'
import type { RuleSettings } from '../rule-settings.ts'
import { inWords } from '../wording.ts'
import { type DeviceMap, deviceSubject, type Firing, whyOver } from './subjects.ts'

/** Attempts of the latest window, and how many of them were answered. */
interface Rate {
  attempts: number
  succeeded: number
}

/** The rates as they stand, the fleet's and those of the devices that had any attempts. */
export interface Rates {
  fleet: Rate
  devices: ReadonlyMap<string, Rate>
}

const fleet = { kind: 'fleet', id: 'fleet', name: 'the fleet' } as const

/**
 * Success rates below the threshold. While the whole fleet's is, that is told and no single device: a target that is down looks the
 * same at each of them. Too few attempts say nothing, none at all end the matter.
 */
export function successFindings(rates: Rates, devices: DeviceMap, firing: Firing, settings: RuleSettings): Finding[] {
  const { severity, minimum, threshold } = settings
  const findings: Finding[] = []
  const whole = percent(rates.fleet, minimum ?? 1)
  const isFleetBad = whole !== null && whole < threshold
  if (isFleetBad) findings.push(found(fleet, 'bad', rates.fleet, whole, settings))
  else if (firing.find(fleet.id)) findings.push(...ending(fleet, rates.fleet, whole, settings))

  for (const [id, rate] of rates.devices) {
    const device = devices.get(id)
    const value = percent(rate, minimum ?? 1)
    if (!device || device.isExempt || isFleetBad || value === null || value >= threshold) continue
    findings.push(found(deviceSubject(device), 'bad', rate, value, settings))
  }
  for (const { subject } of firing.all) {
    if (subject.kind !== 'device') continue
    const over = whyOver(devices.get(subject.id), subject.name)
    const rate = rates.devices.get(subject.id) ?? { attempts: 0, succeeded: 0 }
    const value = percent(rate, minimum ?? 1)
    if (over) findings.push({ rule: 'success_rate', subject, verdict: 'over', severity, ...over })
    else if (value === null || value >= threshold) findings.push(...ending(subject, rate, value, settings))
  }
  return findings
}

/** Rounded down to a tenth: 84.96 is below 85. */
const percent = ({ attempts, succeeded }: Rate, minimum: number): number | null =>
  attempts < minimum ? null : Math.floor((succeeded / attempts) * 1_000) / 10

function found(
  subject: Finding['subject'],
  verdict: 'bad' | 'good',
  { attempts, succeeded }: Rate,
  value: number,
  { severity, threshold, window }: RuleSettings,
): Finding {
  const title = verdict === 'bad' ? `${subject.name}: success rate ${value} %` : `${subject.name}: success rate is back at ${value} %`
  const within = inWords((window ?? 0) * 1_000)
  const detail = `${succeeded} of ${attempts} attempts of the last ${within} were answered; the threshold is ${threshold} %.`
  return { rule: 'success_rate', subject, verdict, severity, title, detail, value }
}

function ending(subject: Finding['subject'], rate: Rate, value: number | null, settings: RuleSettings): Finding[] {
  if (value !== null) return [found(subject, 'good', rate, value, settings)]
  if (rate.attempts > 0) return []
  const { severity } = settings
  const title = `${subject.name}: no more requests`
  return [{ rule: 'success_rate', subject, verdict: 'good', severity, title, detail: 'There is no traffic to judge by.', value: null }]
}
