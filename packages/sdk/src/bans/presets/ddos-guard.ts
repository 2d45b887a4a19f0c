import type { BanRule } from '../ban-rule.ts'

/**
 * DDoS-Guard: 403 (429 when too many), `server: ddos-guard`, title "DDOS-GUARD" around a captcha (github.com/Ekultek/WhatWaf/issues/1005,
 * github.com/FlareSolverr/FlareSolverr/pull/559), or a page with `data-ddg-origin` and the script `/.well-known/ddos-guard/js-challenge/`
 * (github.com/mikf/gallery-dl/pull/3569). The header and the cookies `__ddg1_` are on all answers, and an origin's own 403 passes through.
 */
export const ddosGuard: readonly BanRule[] = [
  {
    name: 'ddos-guard: check',
    status: [401, 403, 429, 503],
    headers: { server: /^ddos-guard/i },
    body: /<title>DDOS-GUARD<\/title>|\/\.well-known\/ddos-guard\/(?:js-challenge|ddg-captcha|check)|\bdata-ddg-(?:origin|l10n)\b/i,
  },
]
