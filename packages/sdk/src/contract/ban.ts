import { z } from 'zod'
import { ipAddress, label, timestamp } from './names.ts'

/** Bans of one report, at most. */
export const BAN_REPORT_MAX = 100
/** A ban is shared for a day at most, whoever says otherwise. */
export const BAN_LONGEST_MS = 86_400_000

/** Registrable domain, host name or address of a target. */
const site = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^\s/@\p{C}]+$/u, 'must be a host name')

/** An exit IP that a site has banned, as the hub tells it. */
export const ban = z.object({
  exit_ip: ipAddress,
  site,
  until: timestamp,
  /** The same as time from now, so that clocks need not agree. 0: the ban was lifted. */
  lasts_ms: z.int().min(0).max(BAN_LONGEST_MS),
  /** What it was recognised by. */
  rule: label.nullable(),
})
export type BanJson = z.infer<typeof ban>

/** Body of `POST /api/v1/bans`: what one pool found out and confirmed. */
export const banReport = z.strictObject({
  /** The pool, so that it knows its own reports when it is told of them. */
  reporter: z.uuid(),
  bans: z
    .array(
      z.strictObject({
        exit_ip: ipAddress,
        site,
        /** How much longer it lasts; at most a day is kept. 0: it is over. */
        lasts_ms: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
        rule: label.nullable().default(null),
      }),
    )
    .min(1)
    .max(BAN_REPORT_MAX),
})
export type BanReportJson = z.input<typeof banReport>

/** Bans that were news, or lasted longer than what was known. */
export const banReply = z.object({ accepted: z.int().nonnegative() })

/** Reply of `GET /api/v1/bans`: those that last, the longest first. */
export const banList = z.object({ bans: z.array(ban) })

/** Event `quarantine`: bans that a pool reported. */
export const quarantineEvent = z.object({ reporter: z.uuid(), bans: z.array(ban) })
