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
 * Devices that are silent for long, as `fleet/vigil.ts` notes it: each by itself, or many that fell silent together as one group.
 * Nothing is judged here of when a silence is long, when it is over, or that one who flaps is not told silent.
 */
export function silenceFindings(devices: DeviceMap, firing: Firing, settings: RuleSettings, now: number): Finding[] {
  const groups = firing.all.filter(({ subject }) => subject.kind !== 'device')
  const told = new Set(groups.flatMap(({ members }) => members.map(({ id }) => id)))
  const isNews = (device: WatchedDevice): boolean => isLongSilent(device) && !told.has(device.id) && firing.find(device.id) === null

  const findings: Finding[] = []
  const news = [...devices.values()].filter(isNews)
  const crowds = crowdsOf(devices, news, settings, now)
  const crowded = new Set(crowds.flatMap(({ members }) => members.map(({ id }) => id)))
  for (const crowd of crowds) findings.push(crowdFinding(crowd, settings, firing))
  for (const device of news) if (!crowded.has(device.id)) findings.push(silentFinding(device, settings, now))

  for (const alert of firing.all)
    if (alert.subject.kind === 'device') findings.push(...stillSilent(devices.get(alert.subject.id), alert, settings, now))
    else if (!crowds.some(({ id }) => id === alert.subject.id)) findings.push(groupFinding(alert, devices, settings))
  return findings
}

const isLongSilent = ({ isExempt, vigil }: WatchedDevice): boolean => !isExempt && vigil !== null && vigil.silentSince !== null

function silentFinding(device: WatchedDevice, { severity }: RuleSettings, now: number): Finding {
  const { name, operator, region, lastHeartbeat, vigil } = device
  const since = vigil?.silentSince ?? now
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

function stillSilent(device: WatchedDevice | undefined, alert: AlertRecord, settings: RuleSettings, now: number): Finding[] {
  const { subject } = alert
  const same = { rule: 'device_silent', subject, severity: settings.severity } as const
  const over = whyOver(device, subject.name)
  if (!device || over) return [{ ...same, verdict: 'over', title: '', detail: '', ...over }]
  if (device.vigil === null) return []
  if (isLongSilent(device)) return [silentFinding(device, settings, now)]
  return [{ ...same, verdict: 'good', title: `${device.name} is heard again`, detail: '', since: device.vigil.upSince }]
}

function crowdFinding({ id, kind, label, members, total }: Crowd, { severity, window }: RuleSettings, firing: Firing): Finding {
  const before = firing.find(id)?.members ?? []
  const all = [
    ...before,
    ...members.filter((one) => !before.some((other) => other.id === one.id)).map(({ id: of, name }) => ({ id: of, name })),
  ]
  const since = Math.min(...members.map(({ silentFrom }) => silentFrom ?? Number.POSITIVE_INFINITY))
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

function groupFinding(alert: AlertRecord, devices: DeviceMap, settings: RuleSettings): Finding {
  const known = alert.members.flatMap(({ id }) => devices.get(id) ?? [])
  // Some fell silent a little later than the first: their silence is not long yet, but not over either.
  const isAway = (device: WatchedDevice): boolean => isLongSilent(device) || (!device.isExempt && device.isSilent)
  const left = known.filter(isAway)
  const back = known.flatMap((device) => (device.vigil === null || isAway(device) ? [] : [device.vigil.upSince]))
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
    ...(back.length > 0 ? { since: Math.max(...back) } : {}),
  }
}

function names(devices: readonly { name: string }[]): string {
  const shown = devices.slice(0, MAX_NAMES).map(({ name }) => name)
  return devices.length > MAX_NAMES ? `${shown.join(', ')} and ${devices.length - MAX_NAMES} more` : shown.join(', ')
}
