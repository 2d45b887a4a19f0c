import { isFinal } from '@mobilepool/sdk/contract'
import type { RotationRecord } from '../../store/index.ts'
import type { Finding } from '../episode.ts'
import type { Rules } from '../rule-settings.ts'
import { type DeviceMap, deviceSubject, type Firing, whyOver } from './subjects.ts'

/** Addresses of a device that are remembered to tell whether one came again. */
const MAX_ADDRESSES = 10
/** Not the device's fault, and no attempt. */
const NO_ATTEMPT = new Set(['canceled', 'too_soon', 'busy'])

interface Outcomes {
  /** In a row, up to the latest. */
  failures: number
  leaks: number
  /** Rotations in a row that brought no address that is new. */
  sames: number
  addresses: string[]
  latest: RotationRecord
}

const nothingYet: Omit<Outcomes, 'latest'> = { failures: 0, leaks: 0, sames: 0, addresses: [] }

/** What the rules on rotations need of their settings. */
export type RotationRules = Pick<Rules, 'rotation_failed' | 'same_ip' | 'egress_leak'>

/** Remembers how each device's latest rotations ended. */
export class RotationOutcomes {
  readonly #byDevice = new Map<string, Outcomes>()

  /** A rotation moved on; only its end counts. */
  see(rotation: RotationRecord): void {
    const { deviceId, state, reason, oldIp, newIp } = rotation
    if (!isFinal(state) || (reason !== null && NO_ATTEMPT.has(reason))) return
    const before = this.#byDevice.get(deviceId) ?? nothingYet
    const addresses = oldIp === null || before.addresses.includes(oldIp) ? before.addresses : [...before.addresses, oldIp]
    const isSame = state === 'unchanged' || (state === 'changed' && newIp !== null && addresses.includes(newIp))
    this.#byDevice.set(deviceId, {
      failures: state === 'failed' ? before.failures + 1 : 0,
      leaks: reason === 'egress_leak' ? before.leaks + 1 : 0,
      // A failed one says nothing about addresses.
      sames: state === 'failed' ? before.sames : isSame ? before.sames + 1 : 0,
      addresses: (newIp === null || addresses.includes(newIp) ? addresses : [...addresses, newIp]).slice(-MAX_ADDRESSES),
      latest: rotation,
    })
  }

  forget(deviceId: string): void {
    this.#byDevice.delete(deviceId)
  }

  /** Devices whose rotations fail, bring the same address again and again, or leak; and those where that is over. */
  findings(devices: DeviceMap, firing: Record<keyof RotationRules, Firing>, rules: RotationRules): Finding[] {
    const findings: Finding[] = []
    for (const [id, outcomes] of this.#byDevice) {
      const device = devices.get(id)
      if (!device || device.isExempt) continue
      const { name } = device
      const { failures, leaks, sames, latest } = outcomes
      const why = [latest.reason, latest.detail].filter((part) => part !== null).join(': ')
      const judge = (
        rule: keyof RotationRules,
        value: number,
        bad: [title: string, detail: string],
        good: [title: string, detail: string],
      ) => {
        const isBad = value >= rules[rule].threshold
        const isWell = value === 0 && firing[rule].find(id) !== null
        if (!isBad && !isWell) return
        const [title, detail] = isBad ? bad : good
        const verdict = isBad ? 'bad' : 'good'
        findings.push({ rule, subject: deviceSubject(device), verdict, severity: rules[rule].severity, title, detail, value })
      }
      judge(
        'rotation_failed',
        failures,
        [`${name}: the rotation failed`, `${failures === 1 ? 'The latest rotation' : `${failures} rotations in a row`} failed (${why}).`],
        [`${name}: a rotation went through again`, latest.newIp === null ? '' : `It is at ${latest.newIp} now.`],
      )
      judge(
        'same_ip',
        sames,
        [
          `${name}: the same IP again and again`,
          `${sames} rotations in a row brought no new address; it is at ${latest.newIp ?? latest.oldIp}.`,
        ],
        [`${name}: a rotation brought a new IP`, `It is at ${latest.newIp} now.`],
      )
      judge(
        'egress_leak',
        leaks,
        [`${name}: traffic left by another way than the SIM`, `Its agent stopped its proxy: ${why}. Look at the routes of its host.`],
        [`${name}: traffic leaves by the SIM again`, ''],
      )
    }
    for (const rule of ['rotation_failed', 'same_ip', 'egress_leak'] as const)
      for (const { subject } of firing[rule].all) {
        const over = whyOver(devices.get(subject.id), subject.name)
        if (over) findings.push({ rule, subject, verdict: 'over', severity: rules[rule].severity, ...over })
      }
    return findings
  }
}
