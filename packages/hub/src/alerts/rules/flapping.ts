import { vigilDefaults } from '../../fleet/vigil.ts'
import type { Finding } from '../episode.ts'
import type { RuleSettings } from '../rule-settings.ts'
import { inWords } from '../wording.ts'
import { type DeviceMap, deviceSubject, type Firing, whyOver } from './subjects.ts'

const STEADY = inWords(vigilDefaults.steadyAfterMs)

/** Devices that come and go too often, as `fleet/vigil.ts` notes it with this rule's threshold and window, and those that no longer do. */
export function flappingFindings(devices: DeviceMap, firing: Firing, { window, severity }: RuleSettings): Finding[] {
  const findings: Finding[] = []
  for (const device of devices.values()) {
    if (device.isExempt || !device.vigil || device.vigil.flappingSince === null) continue
    const { flips, flappingSince } = device.vigil
    const within = inWords((window ?? 0) * 1_000)
    findings.push({
      rule: 'flapping',
      subject: deviceSubject(device),
      verdict: 'bad',
      severity,
      title: `${device.name} comes and goes`,
      detail: `${flips.length} changes between online and offline within ${within}. No silence of it is told until it is steady for ${STEADY}.`,
      value: flips.length,
      since: flappingSince,
    })
  }
  for (const { subject } of firing.all) {
    const device = devices.get(subject.id)
    const over = whyOver(device, subject.name)
    if (over) findings.push({ rule: 'flapping', subject, verdict: 'over', severity, ...over })
    else if (device?.vigil && device.vigil.flappingSince === null) {
      const title = `${subject.name} is steady: ${device.vigil.isUp ? 'online' : 'offline'}`
      findings.push({ rule: 'flapping', subject, verdict: 'good', severity, title, detail: `Unchanged for ${STEADY}.` })
    }
  }
  return findings
}
