import type { RotationFailure, RotationOutcome } from '@mobilepool/sdk/contract'
import { addressFamily, isSameExit } from '../../address.ts'
import { compareExit, type Exits } from '../../exit-ip.ts'

/** What was seen of a device's exit, by the path on which it was seen: a box may send its heartbeats another way than its proxy's traffic. */
export interface Baseline {
  /** Addresses that its heartbeats came from before. */
  heard: Exits
  /** Measured through its proxy before; null: not known. */
  probed: string | null
}

/** What the exit is now. */
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
export function findChange(before: Baseline, now: Sighting, calledAt: number): Finding {
  const findings: Finding[] = []
  // Echo and proxy may choose another family at each look; the two cannot be compared.
  if (now.probed !== null && before.probed !== null && addressFamily(now.probed) === addressFamily(before.probed))
    findings.push({ outcome: isSameExit(before.probed, now.probed) ? 'same' : 'changed', ip: now.probed })
  for (const exit of [now.heard.v4, now.heard.v6]) {
    if (!exit || exit.lastSeen <= calledAt) continue
    const compared = compareExit(before.heard, exit.current)
    if (compared !== 'unknown') findings.push({ outcome: compared === 'same' ? 'same' : 'changed', ip: exit.current })
  }
  return (
    findings.find(({ outcome }) => outcome === 'changed') ??
    findings.find(({ outcome }) => outcome === 'same') ?? { outcome: 'unknown', ip: null }
  )
}

/** The end of an attempt whose time is over without a change. */
export function withoutChange(
  lastSame: string | null,
  isMeasurable: boolean,
  remark: string | null,
): { state: RotationOutcome; newIp?: string; reason?: RotationFailure; detail: string | null } {
  if (lastSame !== null) return { state: 'unchanged', newIp: lastSame, detail: remark }
  const why = isMeasurable
    ? 'The device did not come back in time: no exit IP was seen through its proxy, and no heartbeat came.'
    : 'Nothing tells whether the IP changed: let the device send heartbeats, or give it a proxy_url and set EXIT_IP_URL or PUBLIC_URL.'
  return { state: 'failed', reason: 'probe_failed', detail: remark === null ? why : `${remark} ${why}` }
}
