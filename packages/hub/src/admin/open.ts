import type { HubConfig } from '../config.ts'
import { HubError } from '../errors.ts'
import { openStore, type Store } from '../store/index.ts'

/**
 * Opens the hub's database for a command, and closes it after. The embedded one only while no hub runs on it.
 * @throws HubError with a `StartCode`, or what `work` throws
 */
export async function withStore<T>(config: HubConfig, instead: string, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(config).catch((error: unknown) => {
    if (error instanceof HubError && error.code === 'data_dir_locked')
      throw new HubError('data_dir_locked', `${error.message} ${instead}`, { cause: error })
    throw error
  })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** Writes to the audit log that somebody with a shell on this machine did something. */
export function auditCommand(store: Store, command: string, subject: string | null, fields: string[] = []): Promise<void> {
  const user = process.env.SUDO_USER ?? process.env.USER ?? null
  const nothing = { actorId: null, address: null, method: null, route: null, status: null, requestId: null }
  return store.audit.add([{ ...nothing, at: Date.now(), actorKind: 'cli', actorName: user, action: `cli ${command}`, subject, fields }])
}

/** What was given wrongly, by the flag's name. */
export const invalid = (message: string): HubError => new HubError('config_invalid', message)
