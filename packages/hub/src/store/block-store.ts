import type { Kysely } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** An address that is kept out for a while. Times in ms. */
export interface BlockRecord {
  /** An IPv4 address, or an IPv6 /64 as its first four groups. */
  address: string
  reason: string
  /** How often it was blocked; each time for longer. */
  times: number
  createdAt: number
  until: number
  liftedAt: number | null
}

/** Reads and writes blocked addresses. Every method throws HubError `database_down`. */
export interface BlockStore {
  /** Blocks that end, or ended, after this time; lifted ones too. */
  since(until: number): Promise<BlockRecord[]>
  /** Writes a block in the place of the address's former one. */
  put(block: BlockRecord): Promise<void>
  prune(before: number): Promise<void>
}

export function blockStore(db: Kysely<Tables>): BlockStore {
  return {
    async since(until) {
      const rows = await query(
        db
          .selectFrom('address_blocks')
          .selectAll()
          .where('until_at', '>', new Date(until))
          .orderBy('until_at', 'desc')
          .limit(10_000)
          .execute(),
      )
      return rows.map((row) => ({
        address: row.address,
        reason: row.reason,
        times: row.times,
        createdAt: row.created_at.getTime(),
        until: row.until_at.getTime(),
        liftedAt: row.lifted_at?.getTime() ?? null,
      }))
    },
    async put(block) {
      const row = {
        reason: block.reason,
        times: block.times,
        created_at: new Date(block.createdAt),
        until_at: new Date(block.until),
        lifted_at: block.liftedAt === null ? null : new Date(block.liftedAt),
      }
      await query(
        db
          .insertInto('address_blocks')
          .values({ address: block.address, ...row })
          .onConflict((conflict) => conflict.column('address').doUpdateSet(row))
          .execute(),
      )
    },
    async prune(before) {
      await query(db.deleteFrom('address_blocks').where('until_at', '<', new Date(before)).execute())
    },
  }
}
