import type { Selectable } from 'kysely'
import type { AttemptRecord, RotationRecord } from './rotation-store.ts'
import type { Tables } from './tables.ts'

const date = (time: number | null): Date | null => (time === null ? null : new Date(time))
const ms = (time: Date | null): number | null => (time === null ? null : time.getTime())

/** The columns of a rotation that change while it runs. */
export const progress = (rotation: RotationRecord) => ({
  method: rotation.method,
  state: rotation.state,
  old_ip: rotation.oldIp,
  new_ip: rotation.newIp,
  reason: rotation.reason,
  detail: rotation.detail,
  attempt: rotation.attempt,
  not_before: date(rotation.notBefore),
  started_at: date(rotation.startedAt),
  deadline_at: date(rotation.deadlineAt),
  ended_at: date(rotation.endedAt),
})

/** A whole new row of `rotations`. */
export const rotationRow = (rotation: RotationRecord) => ({
  id: rotation.id,
  device_id: rotation.deviceId,
  trigger: rotation.trigger,
  requested_method: rotation.requestedMethod,
  comment: rotation.comment,
  max_attempts: rotation.maxAttempts,
  unique_within: rotation.uniqueWithin,
  batch_id: rotation.batchId,
  created_at: new Date(rotation.createdAt),
  ...progress(rotation),
})

/** A row of `rotations`, with its device's name. */
export const fromRow = (row: Selectable<Tables['rotations']> & { device_name: string }): RotationRecord => ({
  id: row.id,
  deviceId: row.device_id,
  deviceName: row.device_name,
  trigger: row.trigger,
  requestedMethod: row.requested_method,
  method: row.method,
  state: row.state,
  oldIp: row.old_ip,
  newIp: row.new_ip,
  reason: row.reason,
  detail: row.detail,
  comment: row.comment,
  attempt: row.attempt,
  maxAttempts: row.max_attempts,
  notBefore: ms(row.not_before),
  uniqueWithin: row.unique_within,
  batchId: row.batch_id,
  createdAt: row.created_at.getTime(),
  startedAt: ms(row.started_at),
  deadlineAt: ms(row.deadline_at),
  endedAt: ms(row.ended_at),
})

/** A whole row of `rotation_attempts`. */
export const attemptRow = (attempt: AttemptRecord) => ({
  id: attempt.id,
  rotation_id: attempt.rotationId,
  number: attempt.number,
  cause: attempt.cause,
  method: attempt.method,
  outcome: attempt.outcome,
  old_ip: attempt.oldIp,
  new_ip: attempt.newIp,
  reason: attempt.reason,
  detail: attempt.detail,
  before_v4: attempt.before.v4,
  before_v6: attempt.before.v6,
  before_probed: attempt.before.probed,
  started_at: new Date(attempt.startedAt),
  called_at: date(attempt.calledAt),
  ended_at: date(attempt.endedAt),
})

export const toAttempt = (row: Selectable<Tables['rotation_attempts']>): AttemptRecord => ({
  id: row.id,
  rotationId: row.rotation_id,
  number: row.number,
  cause: row.cause,
  method: row.method,
  outcome: row.outcome,
  oldIp: row.old_ip,
  newIp: row.new_ip,
  reason: row.reason,
  detail: row.detail,
  before: { v4: row.before_v4, v6: row.before_v6, probed: row.before_probed },
  startedAt: row.started_at.getTime(),
  calledAt: ms(row.called_at),
  endedAt: ms(row.ended_at),
})
