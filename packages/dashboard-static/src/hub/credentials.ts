import type { ApiKey } from './api-key.ts'
import type { Session } from './session.ts'

/** What the page shows a hub to be let in. */
export interface Credentials {
  /** For the next request; null: nothing. Rejects when the hub that renews it cannot be asked. */
  get: () => Promise<string | null>
  /** After the hub refused `refused`: what to ask with instead, `refused` itself when there is nothing newer. Rejects as `get`. */
  renew: (refused: string) => Promise<string | null>
}

/** A key that somebody typed goes before a login. */
export const createCredentials = (key: ApiKey, session: Session): Credentials => ({
  get: async () => key.get() ?? (await session.token()),
  renew: async (refused) => (key.get() === refused ? refused : await session.renew(refused)),
})
