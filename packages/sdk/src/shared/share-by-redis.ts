import type { Clock } from '../clock.ts'
import type { Quarantine } from '../core/quarantine.ts'
import type { Emit } from '../events.ts'
import type { RedisClient } from './redis-client.ts'
import { RedisLink } from './redis-link.ts'
import { SharedKeys, SharedLimits } from './shared-limits.ts'
import { SharedQuarantines } from './shared-quarantines.ts'

interface SharingParts {
  readonly clock: Clock
  readonly emit: Emit
  readonly quarantine: Quarantine
  /** Quarantines were learnt from other processes. */
  readonly onLearnt: () => void
}

/** What a pool shares with those of other processes. */
export interface Sharing {
  readonly limits: SharedLimits
  start(): void
  /** Gives back what this process holds, and closes the connection where it is the pool's own. */
  close(): Promise<void>
}

/** Puts together what the option `redis` asks for. */
export function shareByRedis(
  { client, prefix, timeoutMs }: { readonly client: string | RedisClient; readonly prefix: string; readonly timeoutMs: number },
  { clock, emit, quarantine, onLearnt }: SharingParts,
): Sharing {
  const link = new RedisLink(client, timeoutMs, clock)
  const keys = new SharedKeys(prefix)
  const limits = new SharedLimits({ link, clock, emit, keys })
  const quarantines = new SharedQuarantines({ link, keys, quarantine, clock, onLearnt })
  return {
    limits,
    start() {
      limits.start()
      quarantines.start()
    },
    async close() {
      quarantines.close()
      await limits.close()
      await link.close()
    },
  }
}
