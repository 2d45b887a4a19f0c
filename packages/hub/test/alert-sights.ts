import type { AlertRule } from '@mobilepool/sdk/contract'
import type { Finding } from '../src/alerts/episode.ts'
import { type RuleSettings, withChanges } from '../src/alerts/rule-settings.ts'
import type { DeviceMap, Firing, WatchedDevice } from '../src/alerts/rules/subjects.ts'
import { type Vigil, vigilDefaults } from '../src/fleet/vigil.ts'
import type { AlertRecord } from '../src/store/index.ts'
import { sampleAlert, T0 } from './alert-samples.ts'

/** Heard for an hour without a silence, but for `over`. */
export const vigil = (over: Partial<Vigil> = {}): Vigil => ({
  isUp: true,
  upSince: T0 - 3_600_000,
  flips: [],
  flappingSince: null,
  silentSince: null,
  ...over,
})

/** A device as rules see it: heard just now, and well. Its id is its name. */
export const watched = (name: string, over: Partial<WatchedDevice> = {}): WatchedDevice => ({
  id: name,
  name,
  operator: null,
  region: null,
  lastHeartbeat: T0,
  silentFrom: T0,
  isSilent: false,
  vigil: vigil(),
  isExempt: false,
  isRotating: false,
  battery: null,
  ...over,
})

export const deviceMap = (...devices: WatchedDevice[]): DeviceMap => new Map(devices.map((device) => [device.id, device]))

/** A rule as it stands until somebody changes it, but for `over`. */
export const ruleSettings = (rule: AlertRule, over: Partial<RuleSettings> = {}): RuleSettings => ({
  ...withChanges(new Map(), vigilDefaults.silentAfterMs)[rule],
  ...over,
})

/** These fire: alerts, or the names of devices about which one does. */
export function firingOf(...about: (string | AlertRecord)[]): Firing {
  const all = about.map((one) => (typeof one === 'string' ? sampleAlert({ subject: { kind: 'device', id: one, name: one } }) : one))
  return { all, find: (subjectId) => all.find(({ subject }) => subject.id === subjectId) ?? null }
}

export const noneFires: Firing = firingOf()

/** What was found, in short: `bad seoul-01`. */
export const verdicts = (findings: readonly Finding[]): string[] => findings.map(({ verdict, subject }) => `${verdict} ${subject.name}`)
