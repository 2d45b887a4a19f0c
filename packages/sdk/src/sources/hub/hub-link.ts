import type { Clock } from '../../clock.ts'
import type { Quarantine } from '../../core/quarantine.ts'
import type { Emit } from '../../events.ts'
import type { PoolSettings } from '../../options/schema.ts'
import { hubBackoff } from './backoff.ts'
import { type HubAddress, HubClient } from './hub-client.ts'
import { SharedBans } from './shared-bans.ts'
import { UsageReports } from './usage-reports.ts'

/** What of a pool speaks with its hub, besides its source of devices. */
export interface HubLink {
  readonly client: HubClient
  readonly address: HubAddress
  /** Null: bans are not shared. */
  readonly bans: SharedBans | null
  /** Null: the hub is told nothing of requests. */
  readonly usage: UsageReports | null
}

export interface HubLinkParts {
  readonly clock: Clock
  readonly random: () => number
  readonly emit: Emit
  readonly quarantine: Quarantine
  readonly onLearnt: () => void
}

export type HubLinkSettings = Pick<PoolSettings, 'ban' | 'usage'> & { readonly hub: NonNullable<PoolSettings['hub']> }

/** Opens nothing yet: connections are made when something is to be said. */
export function linkHub(settings: HubLinkSettings, parts: HubLinkParts): HubLink {
  const address = hubAddress(settings.hub)
  const client = new HubClient(address)
  const common = { ...parts, client, backoff: hubBackoff }
  const usage = settings.usage === false ? null : new UsageReports(settings.usage, common)
  return { client, address, bans: settings.hub.shareBans && settings.ban !== false ? new SharedBans(common) : null, usage }
}

/** The token may stand in the URL as its password; it is taken out of there, so that no message shows it. */
function hubAddress({ url, token }: { url: URL; token?: string | undefined }): HubAddress {
  const bare = new URL(url)
  bare.username = ''
  bare.password = ''
  return { url: bare, token: token ?? (url.password === '' ? undefined : decodeURIComponent(url.password)) }
}
