import type {
  deviceUpdate,
  RotationAttemptJson,
  RotationJson,
  RotationState,
  rotationBatch,
  rotationLink,
  rotationSettingsShown,
} from '@mobilepool/sdk/contract'
import type { z } from 'zod'
import type { AttemptRecord, IpHistoryStore, RotationConfig, RotationLinkRecord, RotationRecord } from '../store/index.ts'
import { stamp, stampOrNull } from './stamp.ts'

/** How a device is rotated, without the secrets. */
export const rotationSettingsJson = (device: RotationConfig): z.output<typeof rotationSettingsShown> => ({
  rotation_url_set: device.rotationUrl !== null,
  rotation_token_set: device.rotationToken !== null,
  rotation_http_method: device.rotationHttpMethod,
  rotation_success_pattern: device.rotationSuccessPattern,
  rotation_attempts: device.rotationAttempts,
  rotation_retry_delay: device.rotationRetryDelay,
  rotation_max_time: device.rotationMaxTime,
  rotation_unique: device.rotationUnique,
})

/** What a body says of it, by our names. */
export const rotationChange = (
  body: z.output<typeof deviceUpdate>,
): { [Field in keyof RotationConfig]: RotationConfig[Field] | undefined } => ({
  rotationUrl: body.rotation_url,
  rotationToken: body.rotation_token,
  rotationHttpMethod: body.rotation_http_method,
  rotationHeaders: body.rotation_headers,
  rotationBody: body.rotation_body,
  rotationSuccessPattern: body.rotation_success_pattern,
  rotationAttempts: body.rotation_attempts,
  rotationRetryDelay: body.rotation_retry_delay,
  rotationMaxTime: body.rotation_max_time,
  rotationUnique: body.rotation_unique,
})

/** A rotation as JSON has it. */
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
  attempt: rotation.attempt,
  max_attempts: rotation.maxAttempts,
  not_before: stampOrNull(rotation.notBefore),
  unique: rotation.uniqueWithin,
  batch_id: rotation.batchId,
})

/** The same with whether each one's new exit IP had been there before. @throws HubError `database_down` */
export async function rotationsWithRecall(
  found: readonly RotationRecord[],
  { recall }: Pick<IpHistoryStore, 'recall'>,
): Promise<RotationJson[]> {
  const changed = found.flatMap(({ id, deviceId, state, newIp, createdAt }) =>
    state === 'changed' && newIp !== null ? [{ key: id, deviceId, ip: newIp, since: createdAt }] : [],
  )
  const before = await recall(changed)
  return found.map((rotation) => {
    const seen = before.get(rotation.id)
    return { ...rotationJson(rotation), ip_seen_before: seen ? { times: seen.times, last_seen: stamp(seen.lastSeen) } : null }
  })
}

export const attemptJson = (attempt: AttemptRecord): RotationAttemptJson => ({
  number: attempt.number,
  cause: attempt.cause,
  method: attempt.method,
  outcome: attempt.outcome,
  old_ip: attempt.oldIp,
  new_ip: attempt.newIp,
  reason: attempt.reason,
  detail: attempt.detail,
  started_at: stamp(attempt.startedAt),
  ended_at: stampOrNull(attempt.endedAt),
})

/** How far a "rotate all" is. */
export function batchJson(id: string, counts: Partial<Record<RotationState, number>>): z.output<typeof rotationBatch> {
  const all = { queued: 0, draining: 0, rotating: 0, verifying: 0, changed: 0, unchanged: 0, failed: 0, ...counts }
  const ended = all.changed + all.unchanged + all.failed
  return { id, total: Object.values(all).reduce((sum, count) => sum + count, 0), ended, counts: all }
}

export const rotationLinkJson = (link: RotationLinkRecord): z.output<typeof rotationLink> => ({
  id: link.id,
  name: link.name,
  created_at: stamp(link.createdAt),
  last_used_at: stampOrNull(link.lastUsedAt),
  used_count: link.usedCount,
})
