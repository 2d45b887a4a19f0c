import type { BanJson, BanReportJson } from '@mobilepool/sdk/contract'
import { refused } from '../errors.ts'
import type { FleetEvent } from '../fleet/events.ts'
import type { Quarantines } from '../fleet/quarantines.ts'
import type { QuarantineRecord } from '../store/index.ts'

/** The hub's quarantines as a pool exchanges bans with them: the routes of `/api/v1/bans`, without the HTTP. */
export const banExchange = (quarantines: Pick<Quarantines, 'live' | 'report'>, now: () => number) => ({
  bans: async (): Promise<{ bans: BanJson[] }> => ({ bans: quarantines.live.map((record) => toJson(record, now())) }),
  async reportBans({ reporter, bans }: BanReportJson): Promise<void> {
    const result = await quarantines.report(
      reporter,
      bans.map(({ exit_ip: exitIp, site, lasts_ms: lastsMs, rule = null }) => ({ exitIp, site: site.toLowerCase(), lastsMs, rule })),
    )
    if ('code' in result) throw refused(result)
  },
})

/** What other pools have reported, as a pool hears it. */
export const heardBans = ({ reporter, records }: Extract<FleetEvent, { type: 'quarantine' }>, now: number) => ({
  reporter,
  bans: records.map((record) => toJson(record, now)),
})

const toJson = ({ exitIp, site, until, rule }: QuarantineRecord, now: number): BanJson => ({
  exit_ip: exitIp,
  site,
  until: new Date(until).toISOString(),
  lasts_ms: Math.max(0, Math.round(until - now)),
  rule,
})
