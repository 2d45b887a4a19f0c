import { type CommandReportJson, isFinal, type RotationOutcome, type RotationState } from '@mobilepool/sdk/contract'
import type { RotationRecord, SeenBefore } from '../../store/index.ts'
import { addressFamily, isSameExit } from '../address.ts'
import { compareExit } from '../exit-ip.ts'

/** The states in their order; a report never moves a rotation back. */
const ORDER: readonly RotationState[] = ['queued', 'draining', 'rotating', 'verifying']

/** How many of the devices may be away at once: the share, rounded down, but always one. */
export const rotationSlots = (devices: number, share: number): number => Math.max(1, Math.floor(devices * share))

/** The end of a rotation. `detail` is cut to what its column holds. */
export const end = (
  rotation: RotationRecord,
  state: RotationOutcome,
  now: number,
  over: Partial<Pick<RotationRecord, 'newIp' | 'reason' | 'detail' | 'method' | 'oldIp'>> = {},
): RotationRecord => ({ ...rotation, ...over, state, endedAt: now, detail: (over.detail ?? rotation.detail)?.slice(0, 500) ?? null })

/** An attempt whose deadline has passed has failed, whatever it was doing. */
export function expire(rotation: RotationRecord, now: number): RotationRecord | null {
  if (rotation.deadlineAt === null || now < rotation.deadlineAt) return null
  const detail =
    rotation.state === 'draining' ? 'The agent never said that it had begun.' : `The device had not come back in time (${rotation.state}).`
  return end(rotation, 'failed', now, { reason: 'deadline_exceeded', detail })
}

/** What the hub makes of a report. */
export interface ReportResult {
  rotation: RotationRecord
  /** The addresses seen before the change, made fresh by this report. */
  before: SeenBefore
}

/**
 * An agent's report, with the address from which it came. The verdict is the hub's own: `changed` only if that address is another
 * than the one the hub saw before, whatever the report says; `failed` stays, unless only the agent's own probe had failed.
 */
export function applyReport(
  rotation: RotationRecord,
  before: SeenBefore,
  report: CommandReportJson,
  seenIp: string,
  now: number,
): ReportResult {
  const method = report.method ?? rotation.method
  if (!isFinal(report.state)) {
    const family = addressFamily(seenIp)
    const advanced = ORDER.indexOf(report.state) > ORDER.indexOf(rotation.state)
    // A report repeated after the change comes from the new address: only one that agrees with what it says of the old one counts.
    const isFromBefore = report.state !== 'verifying' && report.old_ip !== null && isSameExit(report.old_ip, seenIp)
    return {
      rotation: { ...rotation, method, state: advanced ? report.state : rotation.state, oldIp: isFromBefore ? seenIp : rotation.oldIp },
      before: isFromBefore && before[family] !== seenIp ? { ...before, [family]: seenIp } : before,
    }
  }
  return { rotation: verdict({ ...rotation, method }, before, report, seenIp, now), before }
}

function verdict(rotation: RotationRecord, before: SeenBefore, report: CommandReportJson, seenIp: string, now: number): RotationRecord {
  const { state, reason, detail } = report
  if (state === 'failed' && reason !== 'probe_failed') return end(rotation, 'failed', now, { reason, detail })
  const admitsSame = report.old_ip !== null && isSameExit(report.old_ip, seenIp)
  const seen = compareExit(before, seenIp)
  if (seen === 'unknown')
    return end(rotation, 'failed', now, {
      reason: 'probe_failed',
      detail: 'The hub had seen no address of the device to compare with: let it send a heartbeat first.',
    })
  if (seen === 'different' && !admitsSame)
    return end(rotation, 'changed', now, { newIp: seenIp, reason: null, detail: remark(report, 'changed', seenIp) })
  if (state === 'failed') return end(rotation, 'failed', now, { reason, detail })
  return end(rotation, 'unchanged', now, { newIp: seenIp, reason: null, detail: remark(report, 'unchanged', seenIp) })
}

/** Where agent and hub disagree, the record says so. */
const remark = (report: CommandReportJson, outcome: RotationOutcome, seenIp: string): string | null =>
  report.state === outcome ? report.detail : `The agent reported ${report.state}, the hub saw ${seenIp}: ${outcome}.`
