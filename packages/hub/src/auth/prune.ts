import type { AuditStore, SessionStore } from '../store/index.ts'
import type { AddressBlocks } from './address-blocks.ts'

const DAY_MS = 86_400_000
/** A prune is done in parts; the rest has time until the next one. */
const PARTS = 50

export interface AccountLeftovers {
  audit: AuditStore
  sessions: SessionStore
  blocks: Pick<AddressBlocks, 'prune'>
  auditRetentionDays: number
  now: number
}

/** Deletes logins that are over, blocks that are long past, and the end of the audit log. @throws HubError `database_down` */
export async function pruneAccounts({ audit, sessions, blocks, auditRetentionDays, now }: AccountLeftovers): Promise<void> {
  await sessions.prune(now)
  await blocks.prune()
  for (let part = 0; part < PARTS; part++) if (!(await audit.prune(now - auditRetentionDays * DAY_MS))) return
}
