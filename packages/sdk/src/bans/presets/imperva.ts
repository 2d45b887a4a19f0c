import type { BanRule } from '../ban-rule.ts'

/**
 * Imperva, formerly Incapsula and Distil.
 *
 * - Block page: 403 or 200, a page of nothing but an iframe on `/_Incapsula_Resource?SWUDNSAI=...&incident_id=...`, in which stands
 *   "Request unsuccessful. Incapsula incident ID: 877000300100...". The headers `x-iinfo` and `x-cdn: Imperva` are on all answers of a site.
 * - Challenge: 200 with `<script src="/_Incapsula_Resource?SWJIYLWA=...">` as (almost) the whole head: title is empty, `<meta name="robots"
 *   content="noindex,nofollow">` stands before the script (github.com/Imbuedhush/Incapsula-Bypass).
 * - Distil ("Advanced Bot Protection"): "Pardon Our Interruption", the page says that it thinks one is a bot.
 *
 * Ordinary pages load `/_Incapsula_Resource?SWJIYLWA=...` too, at their end: the script alone is no sign.
 */
export const imperva: readonly BanRule[] = [
  {
    name: 'imperva: incident',
    body: /Incapsula incident ID|<iframe[^>]{0,200}src="\/_Incapsula_Resource\?[^"]{0,500}incident_id=/i,
  },
  {
    name: 'imperva: challenge',
    body: /^\s{0,20}<html[^>]{0,100}>\s{0,20}<head>\s{0,20}<META NAME="ROBOTS" CONTENT="NOINDEX, ?NOFOLLOW">[\s\S]{0,300}\/_Incapsula_Resource\?/i,
  },
  { name: 'imperva: interruption', body: /<title>Pardon Our Interruption|<h1>\s{0,20}Pardon Our Interruption/i },
]
