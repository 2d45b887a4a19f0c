import { z } from 'zod'
import { optionsError } from '../options/parse-options.ts'
import { siteHostname } from '../options/site-hostname.ts'
import { type ViewOptions, type ViewSettings, viewOptions } from './view-options.ts'

/**
 * What a lease is for. Which device it gets, `filter`, `devices`, `exclude`, `session`, `hashKey`, `priority` and `queueTimeoutMs` decide as for
 * a request; `retry`, `ban` and the latter two hold for the lease's own requests as well.
 */
export interface LeaseOptions extends ViewOptions {
  /** The site that it is for, a host name or URL: devices whose exit IP is quarantined for it are left out. @default any site */
  site?: string | URL
  /**
   * `fail`: the lease is for one exit IP: it is over when the device is about to rotate, or its IP has changed. `follow`: it is for the
   * device, whatever its IP: its requests wait while that rotates. @default 'fail'
   */
  onIpChange?: 'fail' | 'follow'
  /**
   * What becomes of it when its exit IP is banned at `site`. `wait`: it goes on, and requests to the site wait for the end of the quarantine.
   * `fail`: it is over, so that another one can be had at once. @default 'wait'
   */
  onBan?: 'wait' | 'fail'
  /**
   * What `proxyUrl` is. `local`: a proxy on this machine with a user name and password for this lease alone, started with the first lease that
   * wants it. `direct`: the device's own proxy; the pool then sees nothing of that traffic (no limits, no failures, no end of the
   * lease), and where the pool reaches the device, the browser must too. `false`: none. @default 'local'
   */
  proxy?: 'local' | 'direct' | false
  /** Ends the wait for a device. Later it means nothing. */
  signal?: AbortSignal
}

/** Defaults of `LeaseOptions`. */
const leaseDefaults = { onIpChange: 'fail', onBan: 'wait', proxy: 'local' } as const

const leaseOptions = viewOptions
  .extend({
    site: z.preprocess((value) => siteHostname(value), z.string('must be a host name or a URL')).optional(),
    onIpChange: z.enum(['fail', 'follow'], "must be 'fail' or 'follow'").default(leaseDefaults.onIpChange),
    onBan: z.enum(['wait', 'fail'], "must be 'wait' or 'fail'").default(leaseDefaults.onBan),
    proxy: z.union([z.enum(['local', 'direct']), z.literal(false)], "must be 'local', 'direct' or false").default(leaseDefaults.proxy),
    signal: z.instanceof(AbortSignal, { error: 'must be an AbortSignal' }).optional(),
  })
  .refine(({ onBan, site }) => onBan === 'wait' || site !== undefined, {
    path: ['onBan'],
    error: "'fail' needs `site`: the site whose ban ends the lease",
  })

/** Options of a lease, checked. `view`: what is asked of the device. */
export interface LeaseSettings {
  readonly view: ViewSettings
  /** Host name; null: none in particular. */
  readonly site: string | null
  readonly onIpChange: 'fail' | 'follow'
  readonly onBan: 'wait' | 'fail'
  readonly proxy: 'local' | 'direct' | false
  readonly signal: AbortSignal | undefined
}

/** Checks the options of a lease. Throws `MP_OPTIONS` that names every wrong one. */
export function parseLeaseOptions(options: LeaseOptions): LeaseSettings {
  const parsed = leaseOptions.safeParse(options)
  if (!parsed.success) throw optionsError("the lease's options are wrong", parsed.error)
  const { site = null, onIpChange, onBan, proxy, signal, ...view } = parsed.data
  return { view, site, onIpChange, onBan, proxy, signal }
}
