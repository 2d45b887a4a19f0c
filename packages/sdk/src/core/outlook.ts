import type { Applicant } from './admission-queue.ts'
import type { Fleet } from './fleet.ts'

/**
 * What a request that gets no device at once may hope for.
 *
 * - `busy`: a device that may serve it only has to finish something first.
 * - `again`: only devices that already failed it are up; one of them may have another go.
 * - `coming`: a device is about to come back (rotation, rest, a tunnel being dialled anew, end of a quarantine), at `at` when that is known.
 * - `starved`: every device that is up is quarantined for its site, the first until `until`.
 * - `nothing`: no device will be there.
 */
export type Outlook =
  | { readonly kind: 'busy' }
  | { readonly kind: 'again' }
  | { readonly kind: 'coming'; readonly at: number }
  | { readonly kind: 'starved'; readonly until: number }
  | { readonly kind: 'nothing' }

const BUSY: Outlook = { kind: 'busy' }
const AGAIN: Outlook = { kind: 'again' }
const NOTHING: Outlook = { kind: 'nothing' }

/**
 * Walks over the fleet, so it is asked only when no device could be picked. `forAnother`: a request that holds an answer already
 * asks; the end of a quarantine that it brought about itself is then no hope.
 */
export function lookOut(applicant: Applicant, fleet: Fleet, deadline: number, now: number, forAnother = false): Outlook {
  const {
    site,
    tried,
    view: { accepts },
  } = applicant
  let isReusable = false
  let quarantineEnds = Number.POSITIVE_INFINITY
  let hopeAt = Number.POSITIVE_INFINITY
  for (const device of fleet.ready) {
    if (accepts !== null && !accepts(device)) continue
    const until = device.exit.quarantinedUntil(site, now)
    const wasTried = tried.includes(device)
    if (until > 0) {
      quarantineEnds = Math.min(quarantineEnds, until)
      if (!(forAnother && wasTried)) hopeAt = Math.min(hopeAt, until)
    } else if (!wasTried) return BUSY
    else isReusable = true
  }
  if (isReusable) return AGAIN

  let at = hopeAt <= deadline ? hopeAt : Number.POSITIVE_INFINITY
  let isComing = Number.isFinite(at)
  for (const device of fleet.all()) {
    if (accepts !== null && !accepts(device)) continue
    if (device.rotating || device.returning) isComing = true
    else if (device.online && device.rest !== null && device.rest.until <= deadline) {
      isComing = true
      at = Math.min(at, Math.max(device.rest.until, device.exit.quarantinedUntil(site, now)))
    }
  }
  if (isComing) return { kind: 'coming', at }
  return Number.isFinite(quarantineEnds) ? { kind: 'starved', until: quarantineEnds } : NOTHING
}
