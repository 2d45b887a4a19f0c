import type { BanJson, RotationJson } from '@mobilepool/sdk/contract'
import type { QuarantineRecord, RotationRecord } from '../store/index.ts'
import { stamp, stampOrNull } from './stamp.ts'

export const rotationJson = (rotation: RotationRecord): RotationJson => ({
  id: rotation.id,
  device_id: rotation.deviceId,
  device_name: rotation.deviceName,
  trigger: rotation.trigger,
  method: rotation.method,
  state: rotation.state,
  old_ip: rotation.oldIp,
  new_ip: rotation.newIp,
  reason: rotation.reason,
  detail: rotation.detail ?? rotation.comment,
  created_at: stamp(rotation.createdAt),
  ended_at: stampOrNull(rotation.endedAt),
  duration_ms: rotation.endedAt === null ? null : Math.max(0, rotation.endedAt - rotation.createdAt),
})

/** A shared quarantine, seen from `now`. */
export const banJson = ({ exitIp, site, until, rule }: QuarantineRecord, now: number): BanJson => ({
  exit_ip: exitIp,
  site,
  until: stamp(until),
  lasts_ms: Math.max(0, Math.round(until - now)),
  rule,
})
