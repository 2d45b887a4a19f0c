import type { RotationFailure, RotationMethod, RotationState, RotationTrigger } from '@mobilepool/sdk/contract'
import type { Kysely } from 'kysely'
import { isDuplicate, query } from './failures.ts'
import type { Tables } from './tables.ts'

/** One rotation, running or ended; times in ms. */
export interface RotationRecord {
  id: string
  deviceId: string
  deviceName: string
  trigger: RotationTrigger
  /** What was asked for; null: the device's own choice. */
  requestedMethod: RotationMethod | null
  method: RotationMethod | null
  state: RotationState
  oldIp: string | null
  newIp: string | null
  reason: RotationFailure | null
  detail: string | null
  comment: string | null
  createdAt: number
  /** When it left `queued`. */
  startedAt: number | null
  deadlineAt: number | null
  endedAt: number | null
}

/** Reads and writes rotations. Every method throws HubError `database_down`. */
export interface RotationStore {
  /** False when the device has a running one already (made by another hub). */
  create(rotation: RotationRecord): Promise<boolean>
  /** Writes a running rotation's progress, or its end together with the device's counts. An ended one stays as it is. */
  save(rotation: RotationRecord): Promise<void>
  running(): Promise<RotationRecord[]>
  byId(id: string): Promise<RotationRecord | null>
  /** Newest first. */
  newest(filter: { deviceId?: string; limit: number }): Promise<RotationRecord[]>
}

const date = (time: number | null): Date | null => (time === null ? null : new Date(time))
const ms = (time: Date | null): number | null => (time === null ? null : time.getTime())

const progress = (rotation: RotationRecord) => ({
  method: rotation.method,
  state: rotation.state,
  old_ip: rotation.oldIp,
  new_ip: rotation.newIp,
  reason: rotation.reason,
  detail: rotation.detail,
  started_at: date(rotation.startedAt),
  deadline_at: date(rotation.deadlineAt),
  ended_at: date(rotation.endedAt),
})

export function rotationStore(db: Kysely<Tables>): RotationStore {
  const rows = () =>
    db.selectFrom('rotations as r').innerJoin('proxy_devices as d', 'd.id', 'r.device_id').selectAll('r').select('d.name as device_name')
  const toRecord = (row: Awaited<ReturnType<ReturnType<typeof rows>['executeTakeFirstOrThrow']>>): RotationRecord => ({
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
    createdAt: row.created_at.getTime(),
    startedAt: ms(row.started_at),
    deadlineAt: ms(row.deadline_at),
    endedAt: ms(row.ended_at),
  })

  return {
    async create(rotation) {
      try {
        await query(
          db
            .insertInto('rotations')
            .values({
              id: rotation.id,
              device_id: rotation.deviceId,
              trigger: rotation.trigger,
              requested_method: rotation.requestedMethod,
              comment: rotation.comment,
              created_at: new Date(rotation.createdAt),
              ...progress(rotation),
            })
            .execute(),
        )
        return true
      } catch (error) {
        if (isDuplicate(error)) return false
        throw error
      }
    },

    async save(rotation) {
      await query(
        db.transaction().execute(async (transaction) => {
          const written = await transaction
            .updateTable('rotations')
            .set(progress(rotation))
            .where('id', '=', rotation.id)
            .where('ended_at', 'is', null)
            .returning('id')
            .execute()
          if (written.length === 0 || rotation.endedAt === null) return
          const counter = `${rotation.state}_count` as 'changed_count' | 'unchanged_count' | 'failed_count'
          await transaction
            .updateTable('rotation_config')
            .set((expression) => ({ [counter]: expression(counter, '+', 1) }))
            .$if(rotation.state === 'changed', (update) => update.set({ last_successful_rotation: date(rotation.endedAt) }))
            .where('device_id', '=', rotation.deviceId)
            .execute()
        }),
      )
    },

    async running() {
      const found = await query(rows().where('r.ended_at', 'is', null).orderBy('r.created_at').execute())
      return found.map(toRecord)
    },

    async byId(id) {
      const row = await query(rows().where('r.id', '=', id).executeTakeFirst())
      return row ? toRecord(row) : null
    },

    async newest({ deviceId, limit }) {
      const found = await query(
        rows()
          .$if(deviceId !== undefined, (select) => select.where('r.device_id', '=', deviceId ?? ''))
          .orderBy('r.created_at', 'desc')
          .limit(limit)
          .execute(),
      )
      return found.map(toRecord)
    },
  }
}
