import type { RotationFailure, RotationOutcome } from '@mobilepool/sdk/contract'
import type { SeenBefore } from '../../../store/index.ts'
import { addressFamily, isSameExit } from '../../address.ts'
import { compareExit, type Exits } from '../../exit-ip.ts'

/** What the exit is now, by the path on which it was seen: a box may send its heartbeats another way than its proxy's traffic. */
export interface Sighting {
  /** Addresses that its heartbeats came from. */
  heard: Exits
  /** Measured through its proxy just now; null: not. */
  probed: string | null
}

/** What the evidence says so far. */
export interface Finding {
  outcome: 'changed' | 'same' | 'unknown'
  ip: string | null
}

/**
 * Compares what was seen after the call with what was seen before, each path with itself; either is enough for `changed`.
 * A heartbeat counts only if it came after `calledAt`.
 */
export function findChange(before: SeenBefore, now: Sighting, calledAt: number): Finding {
  const findings: Finding[] = []
  const measured = compareProbed(before, now.probed)
  if (measured !== null) findings.push({ outcome: measured, ip: now.probed })
  for (const exit of [now.heard.v4, now.heard.v6]) {
    if (!exit || exit.lastSeen <= calledAt) continue
    const compared = compareExit(before, exit.current)
    if (compared !== 'unknown') findings.push({ outcome: compared === 'same' ? 'same' : 'changed', ip: exit.current })
  }
  return (
    findings.find(({ outcome }) => outcome === 'changed') ??
    findings.find(({ outcome }) => outcome === 'same') ?? { outcome: 'unknown', ip: null }
  )
}

/** What was measured through the device's proxy, against what was measured before; null where the two cannot be compared. */
export function compareProbed({ probed: before }: SeenBefore, probed: string | null): 'changed' | 'same' | null {
  // Echo and proxy may choose another family at each look.
  if (probed === null || before === null || addressFamily(probed) !== addressFamily(before)) return null
  return isSameExit(before, probed) ? 'same' : 'changed'
}

/** The end of an attempt whose time is over without a change. */
export function withoutChange(
  lastSame: string | null,
  isMeasurable: boolean,
  remark: string | null,
): { state: RotationOutcome; newIp?: string; reason?: RotationFailure; detail: string | null } {
  if (lastSame !== null) return { state: 'unchanged', newIp: lastSame, detail: remark }
  const why = isMeasurable
    ? 'The device did not come back in time: no exit IP was seen through its proxy or tunnel, and no heartbeat came.'
    : 'Nothing tells whether the IP changed: let the device send heartbeats, or give it a proxy_url (or an agent with a tunnel) and set EXIT_IP_URL or PUBLIC_URL.'
  return { state: 'failed', reason: 'probe_failed', detail: remark === null ? why : `${remark} ${why}` }
}
