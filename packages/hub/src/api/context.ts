import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import type { Logger } from 'pino'
import type { Alerting } from '../alerts/start.ts'
import type { AddressBlocks } from '../auth/address-blocks.ts'
import type { AuditLog } from '../auth/audit-log.ts'
import type { Enrolment } from '../auth/enrolment.ts'
import type { KeyRing } from '../auth/key-ring.ts'
import type { Logins } from '../auth/logins.ts'
import type { Quotas } from '../auth/quotas.ts'
import type { RequestLimits } from '../auth/request-limits.ts'
import type { Users } from '../auth/users.ts'
import type { Settings } from '../config/settings.ts'
import type { HubConfig } from '../config.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { Quarantines } from '../fleet/quarantines.ts'
import type { RotationLinks } from '../fleet/rotations/links.ts'
import type { Rotations } from '../fleet/rotations/rotations.ts'
import type { Tallies } from '../fleet/tallies.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Statistics } from '../stats/statistics.ts'
import type { Store } from '../store/index.ts'
import type { TunnelRegistry } from '../tunnel/registry.ts'
import type { EventFeed } from './event-feed.ts'

/** What routes work with. */
export interface ApiContext {
  config: HubConfig
  settings: Settings
  log: Logger
  now: () => number
  newId: () => string
  /** At least 0 and less than 1. */
  random: () => number
  store: Store
  keys: KeyRing
  users: Users
  logins: Logins
  quotas: Quotas
  limits: RequestLimits
  blocks: AddressBlocks
  audit: AuditLog
  fleet: Fleet
  rotations: Rotations
  tunnels: TunnelRegistry
  links: RotationLinks
  enrolment: Enrolment
  quarantines: Quarantines
  alerting: Alerting
  tallies: Tallies
  statistics: Statistics
  feed: EventFeed
  /** Ends what a key, a login or a user holds open that is good no more; its id. */
  endAccess: (id: string) => void
  metrics: Metrics
}

/** The routes of one resource. */
export type Routes = (context: ApiContext) => FastifyPluginCallbackZod
