import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** Tells when another process changed users or keys in this database. */
export interface CredentialWatch {
  /** A text that is another after each change of a user, a key or a setting, and the same otherwise. @throws HubError `database_down` */
  version(): Promise<string>
}

export function credentialWatch(db: Kysely<Tables>): CredentialWatch {
  return {
    async version() {
      // Counts tell removals, which leave no time behind. Uses and quotas do not move `changed_at`.
      const { rows } = await query(
        sql<{ version: string }>`select concat_ws(' ',
          (select count(*) from users), (select max(changed_at) from users),
          (select count(*) from api_keys), (select max(changed_at) from api_keys)) as version`.execute(db),
      )
      return rows[0]?.version ?? ''
    },
  }
}
