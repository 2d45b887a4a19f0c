import type { Kysely } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** A plain URL that rotates one device; times in ms. */
export interface RotationLinkRecord {
  id: string
  deviceId: string
  /** For people: who has it. */
  name: string
  createdAt: number
  revokedAt: number | null
  lastUsedAt: number | null
  /** Rotations that it began. */
  usedCount: number
}

/** Reads and writes rotation links. Every method throws HubError `database_down`. */
export interface RotationLinkStore {
  create(link: RotationLinkRecord): Promise<void>
  byId(id: string): Promise<RotationLinkRecord | null>
  /** Those of a device that are not revoked, the newest first. */
  ofDevice(deviceId: string): Promise<RotationLinkRecord[]>
  /** False when the device has no such link, or it is revoked already. */
  revoke(deviceId: string, id: string, at: number): Promise<boolean>
  noteUse(id: string, at: number): Promise<void>
}

export function rotationLinkStore(db: Kysely<Tables>): RotationLinkStore {
  const toRecord = (row: Awaited<ReturnType<ReturnType<typeof rows>['executeTakeFirstOrThrow']>>): RotationLinkRecord => ({
    id: row.id,
    deviceId: row.device_id,
    name: row.name,
    createdAt: row.created_at.getTime(),
    revokedAt: row.revoked_at?.getTime() ?? null,
    lastUsedAt: row.last_used_at?.getTime() ?? null,
    usedCount: row.used_count,
  })
  const rows = () => db.selectFrom('rotation_links').selectAll()
  return {
    async create(link) {
      const { id, name } = link
      await query(
        db
          .insertInto('rotation_links')
          .values({ id, device_id: link.deviceId, name, created_at: new Date(link.createdAt) })
          .execute(),
      )
    },
    async byId(id) {
      const row = await query(rows().where('id', '=', id).executeTakeFirst())
      return row ? toRecord(row) : null
    },
    async ofDevice(deviceId) {
      const found = await query(
        rows().where('device_id', '=', deviceId).where('revoked_at', 'is', null).orderBy('created_at', 'desc').orderBy('id').execute(),
      )
      return found.map(toRecord)
    },
    async revoke(deviceId, id, at) {
      const revoked = await query(
        db
          .updateTable('rotation_links')
          .set({ revoked_at: new Date(at) })
          .where('id', '=', id)
          .where('device_id', '=', deviceId)
          .where('revoked_at', 'is', null)
          .returning('id')
          .execute(),
      )
      return revoked.length > 0
    },
    async noteUse(id, at) {
      await query(
        db
          .updateTable('rotation_links')
          .set((expression) => ({ last_used_at: new Date(at), used_count: expression('used_count', '+', 1) }))
          .where('id', '=', id)
          .execute(),
      )
    },
  }
}
