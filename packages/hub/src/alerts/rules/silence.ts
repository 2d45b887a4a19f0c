import type { AlertRecord } from '../../store/index.ts'
import type { Finding } from '../episode.ts'
import type { RuleSettings } from '../rule-settings.ts'
import { inWords, moment } from '../wording.ts'
import { type Crowd, crowdsOf } from './crowds.ts'
import { type DeviceMap, deviceSubject, type Firing, type WatchedDevice, whyOver } from './subjects.ts'

/** A group is back when no more than this share of it is still silent, or too few to be a group. */
const LEFT_SHARE = 0.2
/** Names that a text lists. */
const MAX_NAMES = 20

/**
 * Devices that are silent for longer than the threshold: each by itself, or many that fell silent together as one group.
 * Those that flap are left to that rule.
 */
export function silenceFindings(
  devices: DeviceMap,
  firing: Firing,
  isFlapping: (id: string) => boolean,
  settings: RuleSettings,
  now: number,
): Finding[] {
  const isSilent = silentFor(settings.threshold * 1_000, now)
  const groups = firing.all.filter(({ subject }) => subject.kind !== 'device')
  const told = new Set(groups.flatMap(({ members }) => members.map(({ id }) => id)))
  const isNews = (device: WatchedDevice): boolean =>
    isSilent(device) && !told.has(device.id) && !isFlapping(device.id) && firing.find(device.id) === null

  const findings: Finding[] = []
  const news = [...devices.values()].filter(isNews)
  const crowds = crowdsOf(devices, news, settings, now)
  const crowded = new Set(crowds.flatMap(({ members }) => members.map(({ id }) => id)))
  for (const crowd of crowds) findings.push(crowdFinding(crowd, settings, firing))
  for (const device of news) if (!crowded.has(device.id)) findings.push(silentFinding(device, settings, now))

  for (const alert of firing.all)
    if (alert.subject.kind === 'device') findings.push(...stillSilent(devices.get(alert.subject.id), alert, isSilent, settings, now))
    else if (!crowds.some(({ id }) => id === alert.subject.id)) findings.push(groupFinding(alert, devices, isSilent, settings))
  return findings
}

const silentFor =
  (thresholdMs: number, now: number) =>
  ({ isExempt, isRotating, silentSince }: WatchedDevice): boolean =>
    !isExempt && !isRotating && silentSince !== null && now - silentSince >= thresholdMs

function silentFinding(device: WatchedDevice, { severity }: RuleSettings, now: number): Finding {
  const { name, operator, region, lastHeartbeat, silentSince } = device
  const since = silentSince ?? now
  const where = [operator, region].filter((part) => part !== null).join(', ')
  return {
    rule: 'device_silent',
    subject: deviceSubject(device),
    verdict: 'bad',
    severity,
    title: `${name} is silent`,
    detail: `Not heard for ${inWords(now - since)}; last heard ${moment(lastHeartbeat ?? since)}${where === '' ? '' : ` (${where})`}.`,
    value: Math.round((now - since) / 1_000),
    since,
  }
}

function stillSilent(
  device: WatchedDevice | undefined,
  alert: AlertRecord,
  isSilent: (device: WatchedDevice) => boolean,
  settings: RuleSettings,
  now: number,
): Finding[] {
  const { subject } = alert
  const same = { rule: 'device_silent', subject, severity: settings.severity } as const
  const over = whyOver(device, subject.name)
  if (!device || over) return [{ ...same, verdict: 'over', title: '', detail: '', ...over }]
  if (device.isRotating || device.lastHeartbeat === null) return []
  if (isSilent(device)) return [silentFinding(device, settings, now)]
  const { name, lastHeartbeat } = device
  return [{ ...same, verdict: 'good', title: `${name} is heard again`, detail: '', since: lastHeartbeat, beatAt: lastHeartbeat }]
}

function crowdFinding({ id, kind, label, members, total }: Crowd, { severity, window }: RuleSettings, firing: Firing): Finding {
  const before = firing.find(id)?.members ?? []
  const all = [
    ...before,
    ...members.filter((one) => !before.some((other) => other.id === one.id)).map(({ id: of, name }) => ({ id: of, name })),
  ]
  const since = Math.min(...members.map(({ silentSince }) => silentSince ?? Number.POSITIVE_INFINITY))
  return {
    rule: 'device_silent',
    subject: { kind, id, name: label },
    verdict: 'bad',
    severity,
    title: `${members.length} of ${total} devices fell silent together: ${label}`,
    detail: `Last heard within ${window ?? 0} s from ${moment(since)} on: ${names(members)}.`,
    value: members.length,
    members: all,
    since,
  }
}

function groupFinding(
  alert: AlertRecord,
  devices: DeviceMap,
  isSilent: (device: WatchedDevice) => boolean,
  settings: RuleSettings,
): Finding {
  const known = alert.members.flatMap(({ id }) => devices.get(id) ?? [])
  const left = known.filter((device) => isSilent(device))
  const same = {
    rule: 'device_silent',
    subject: alert.subject,
    severity: settings.severity,
    value: left.length,
    members: alert.members,
  } as const
  const isBack = left.length < (settings.minimum ?? 1) || left.length <= alert.members.length * LEFT_SHARE
  if (!isBack) return { ...same, verdict: 'bad', title: alert.title, detail: alert.detail }
  if (known.every(({ isExempt }) => isExempt))
    return { ...same, verdict: 'over', title: `${alert.subject.name}: none of the devices is watched any more`, detail: '' }
  return {
    ...same,
    verdict: 'good',
    title: `${alert.subject.name}: ${alert.members.length - left.length} of ${alert.members.length} devices are heard again`,
    detail: left.length === 0 ? '' : `Still silent: ${names(left)}.`,
    beatAt: Math.max(0, ...known.map(({ lastHeartbeat }) => lastHeartbeat ?? 0)),
  }
}

function names(devices: readonly { name: string }[]): string {
  const shown = devices.slice(0, MAX_NAMES).map(({ name }) => name)
  return devices.length > MAX_NAMES ? `${shown.join(', ')} and ${devices.length - MAX_NAMES} more` : shown.join(', ')
}
