import type { BanRule } from '../ban-rule.ts'

/**
 * Cloudflare.
 *
 * - Every challenge page, of whatever type, has the header `cf-mitigated: challenge`, the only value there is
 *   (developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response); its status is 403, 429 or 503
 *   (seen as 429: github.com/Good-Native/hover/pull/382). Title "Just a moment...", script `_cf_chl_opt`.
 * - Block page of a WAF rule: 403, `server: cloudflare`, title "Attention Required! | Cloudflare" (github.com/Ekultek/WhatWaf/issues/1040),
 *   or "Access denied | HOST used Cloudflare to restrict access" (github.com/VeNoMouS/cloudscraper/issues/100).
 * - Errors 1006 to 1008, 1010, 1012, 1015 and 1020 are bans of the client; the number is in the page as `<span ...>1020</span>` or
 *   "error code: 1020", which is the whole body where the client does not accept HTML
 *   (developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors).
 *
 * Ordinary pages load `/cdn-cgi/challenge-platform/scripts/jsd/main.js` and set `__cf_bm`: neither is a sign. 5xx pages of Cloudflare
 * (520 to 526) speak of the origin, not of the client.
 */
export const cloudflare: readonly BanRule[] = [
  { name: 'cloudflare: challenge', headers: { 'cf-mitigated': /^challenge$/i } },
  {
    name: 'cloudflare: challenge page',
    status: [403, 429, 503],
    headers: { server: /^cloudflare/i },
    body: /<title>Just a moment\.\.\.<\/title>|\b_cf_chl_opt\b/,
  },
  {
    name: 'cloudflare: blocked',
    status: [401, 403, 429],
    headers: { server: /^cloudflare/i },
    body: /<title>(?:Attention Required! \| Cloudflare|Access denied \| [^<]{0,200}used Cloudflare to restrict access)/,
  },
  {
    name: 'cloudflare: error of the client',
    status: [403, 429],
    headers: { server: /^cloudflare/i },
    body: /\berror code: 10(?:0[678]|1[025]|20)\b|<span[^>]{0,80}>\s{0,20}10(?:0[678]|1[025]|20)\s{0,20}<\/span>/,
  },
]
