import type { Logger } from 'pino'
import { type CredentialWatch, isDatabaseDown } from '../store/index.ts'
import type { AddressBlocks } from './address-blocks.ts'
import type { KeyRing } from './key-ring.ts'
import type { Logins } from './logins.ts'
import type { Quotas } from './quotas.ts'
import type { Users } from './users.ts'

const TICK_MS = 1_000
/** What another hub changes is known here after this long. */
const WATCH_TICKS = 2
const USES_TICKS = 10

export interface UpkeepParts {
  users: Users
  keys: KeyRing
  logins: Logins
  quotas: Quotas
  blocks: AddressBlocks
  credentials: CredentialWatch
  /** Other hubs and commands work on this database. */
  isShared: boolean
  /** Ends what a key that was revoked elsewhere, or a user who was changed there, holds open. */
  endOf: (id: string) => void
  log: Logger
}

/**
 * Once a second: writes which keys were used and what was counted, and learns what other processes changed.
 * Returns what stops it; resolves when the last of it is written.
 */
export function startUpkeep(parts: UpkeepParts): () => Promise<void> {
  const { keys, quotas, logins, blocks, isShared, log } = parts
  const learn = credentialReader(parts)
  let ticks = 0
  let isBusy = false
  const round = async (): Promise<void> => {
    ticks += 1
    await quotas.flush()
    if (ticks % USES_TICKS === 0) await keys.flushUses()
    if (isShared && ticks % WATCH_TICKS === 0) {
      await learn()
      await Promise.all([logins.reload(), blocks.reload(), quotas.reload()])
    }
  }
  const tried = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => {
      if (!isDatabaseDown(error)) log.error({ err: error }, 'Keys, users and quotas could not be kept up to date.')
    })
  let running: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    // A slow database must not collect rounds.
    if (isBusy) return
    isBusy = true
    running = tried(round()).finally(() => {
      isBusy = false
    })
  }, TICK_MS)
  return async () => {
    clearInterval(timer)
    await running
    await tried(quotas.flush())
    await tried(keys.flushUses())
  }
}

/** Takes over users and keys when another process changed them. */
function credentialReader({ users, keys, credentials, endOf }: UpkeepParts): () => Promise<void> {
  let known: string | null = null
  return async () => {
    const version = await credentials.version()
    if (version === known) return
    const before = new Map(users.all.map((user) => [user.id, user.tokenVersion]))
    await users.reload()
    for (const id of await keys.reload()) endOf(id)
    for (const [id, tokenVersion] of before) if (users.find(id)?.tokenVersion !== tokenVersion) endOf(id)
    known = version
  }
}
