import type { BanJson } from '@mobilepool/sdk/contract'
import type { QuarantineRecord } from '../store/index.ts'
import { stamp } from './stamp.ts'

/** A shared quarantine, seen from `now`. */
export const banJson = ({ exitIp, site, until, rule }: QuarantineRecord, now: number): BanJson => ({
  exit_ip: exitIp,
  site,
  until: stamp(until),
  lasts_ms: Math.max(0, Math.round(until - now)),
  rule,
})
