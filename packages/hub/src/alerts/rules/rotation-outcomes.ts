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
  /** Devices whose earlier rotations are not known yet: the hub was started since. */
  readonly #unknown = new Set<string>()

  /** A rotation moved on; only its end counts. The first one of a device asks for those before. */
  see(rotation: RotationRecord): void {
    if (!counts(rotation)) return
    if (this.#byDevice.has(rotation.deviceId)) this.#add(rotation)
    else this.#unknown.add(rotation.deviceId)
  }

  /** Devices of which `learn` is to tell the rotations. */
  get unknown(): ReadonlySet<string> {
    return this.#unknown
  }

  /** What is known of a device is wanted, though nothing was seen yet: an alert about it fires. */
  ask(deviceId: string): void {
    if (!this.#byDevice.has(deviceId)) this.#unknown.add(deviceId)
  }

  /** A device's latest rotations, newest first, all that were seen among them. */
  learn(deviceId: string, newest: readonly RotationRecord[]): void {
    this.#unknown.delete(deviceId)
    this.#byDevice.delete(deviceId)
    for (const rotation of newest.toReversed()) if (counts(rotation)) this.#add(rotation)
  }

  #add(rotation: RotationRecord): void {
    const { deviceId, state, reason, oldIp, newIp } = rotation
    const before = this.#byDevice.get(deviceId) ?? nothingYet
    const addresses = oldIp === null || before.addresses.includes(oldIp) ? before.addresses : [...before.addresses, oldIp]
    const isSame = state === 'unchanged' || (state === 'changed' && newIp !== null && addresses.includes(newIp))
    this.#byDevice.set(deviceId, {
      failures: state === 'failed' ? before.failures + 1 : 0,
      // One that failed for another reason says nothing about leaks, and none that failed says anything about addresses.
      leaks: reason === 'egress_leak' ? before.leaks + 1 : state === 'failed' ? before.leaks : 0,
      sames: state === 'failed' ? before.sames : isSame ? before.sames + 1 : 0,
      addresses: (newIp === null || addresses.includes(newIp) ? addresses : [...addresses, newIp]).slice(-MAX_ADDRESSES),
      latest: rotation,
    })
  }

  forget(deviceId: string): void {
    this.#unknown.delete(deviceId)
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
        const { threshold, severity } = rules[rule]
        const isBad = value >= threshold
        if (!isBad && firing[rule].find(id) === null) return
        // Something, but no longer enough: somebody changed the rule.
        const changed = [`${name}: the rule asks for more now`, `For ${threshold} rotations in a row; there were ${value}.`] as const
        const [title, detail] = isBad ? bad : value === 0 ? good : changed
        const verdict = isBad ? 'bad' : 'good'
        findings.push({ rule, subject: deviceSubject(device), verdict, severity, title, detail, value })
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

/** It ended, and was an attempt. */
const counts = ({ state, reason }: RotationRecord): boolean => isFinal(state) && (reason === null || !NO_ATTEMPT.has(reason))
