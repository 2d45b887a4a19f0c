import type { AlertChannelJson, AlertChannelKind, AlertRule, AlertSeverity } from '@mobilepool/sdk/contract'
import type { Kysely } from 'kysely'
import { isDuplicate, query } from './failures.ts'
import type { Seal } from './seal.ts'
import type { Tables } from './tables.ts'

/** A place where alerts are told; times in ms. */
export interface ChannelRecord {
  id: string
  kind: AlertChannelKind
  name: string
  source: AlertChannelJson['source']
  /** What it takes to reach the far end, as its kind has it. Secret. */
  address: unknown
  /** What of it may be shown. */
  target: string
  enabled: boolean
  minSeverity: AlertSeverity
  /** null: all. */
  rules: AlertRule[] | null
  /** Why the hub stopped sending here by itself. */
  disabledReason: string | null
  lastSentAt: number | null
  lastError: string | null
  createdAt: number
  updatedAt: number
}

/** Reads and writes channels; addresses are sealed. Every method throws HubError `database_down`. */
export interface ChannelStore {
  all(): Promise<ChannelRecord[]>
  /** Writes all of a channel; false when another has the name. */
  put(channel: ChannelRecord): Promise<boolean>
  /** Writes how attempts went there, and where it moved to: nothing that an admin sets. One that was removed stays so. */
  note(channel: ChannelRecord): Promise<void>
  /** Removes it with what was to be sent there. */
  remove(id: string): Promise<void>
}

export function channelStore(db: Kysely<Tables>, seal: Seal): ChannelStore {
  return {
    async all() {
      const rows = await query(db.selectFrom('alert_channels').selectAll().orderBy('created_at').orderBy('name').execute())
      return rows.map((row) => ({
        id: row.id,
        kind: row.kind,
        name: row.name,
        source: row.source,
        address: JSON.parse(seal.open(row.address, row.id)) as unknown,
        target: row.target,
        enabled: row.enabled,
        minSeverity: row.min_severity,
        rules: row.rules,
        disabledReason: row.disabled_reason,
        lastSentAt: row.last_sent_at?.getTime() ?? null,
        lastError: row.last_error,
        createdAt: row.created_at.getTime(),
        updatedAt: row.updated_at.getTime(),
      }))
    },

    async put(channel) {
      const row = {
        kind: channel.kind,
        name: channel.name,
        source: channel.source,
        address: seal.close(JSON.stringify(channel.address), channel.id),
        target: channel.target.slice(0, 500),
        enabled: channel.enabled,
        min_severity: channel.minSeverity,
        rules: channel.rules,
        disabled_reason: channel.disabledReason?.slice(0, 500) ?? null,
        last_sent_at: channel.lastSentAt === null ? null : new Date(channel.lastSentAt),
        last_error: channel.lastError?.slice(0, 500) ?? null,
        updated_at: new Date(channel.updatedAt),
      }
      try {
        await query(
          db
            .insertInto('alert_channels')
            .values({ id: channel.id, created_at: new Date(channel.createdAt), ...row })
            .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
            .execute(),
        )
        return true
      } catch (error) {
        if (isDuplicate(error)) return false
        throw error
      }
    },

    async note({ id, address, target, disabledReason, lastSentAt, lastError }) {
      await query(
        db
          .updateTable('alert_channels')
          .set({
            address: seal.close(JSON.stringify(address), id),
            target: target.slice(0, 500),
            disabled_reason: disabledReason?.slice(0, 500) ?? null,
            last_sent_at: lastSentAt === null ? null : new Date(lastSentAt),
            last_error: lastError?.slice(0, 500) ?? null,
          })
          .where('id', '=', id)
          .execute(),
      )
    },

    async remove(id) {
      await query(db.deleteFrom('alert_channels').where('id', '=', id).execute())
    },
  }
}
