import type { BanRule } from '../ban-rule.ts'

/**
 * Akamai.
 *
 * - Block page of the edge: 403, `server: AkamaiGHost`, title "Access Denied", "You don't have permission to access ... on this server."
 *   and "Reference #18.ef3a2f17.1619133194.15bcf105" (github.com/Ekultek/WhatWaf/issues/1162 and 1139), since some years with a link to
 *   `errors.edgesuite.net` (github.com/netbirdio/netbird/issues/3670). Sites may hide the server header, and send it with another
 *   status. In the page the `#` and dots stand as `&#35;` and `&#46;`.
 * - Behaviour challenge ("sec-if-cpt"): 428 (API) or 200 with a container of class `sec-bc-tile-container`, `sec-if-cpt-container`.
 *
 * Apache says "You don't have permission to access" too, without a reference. The cookies `_abck` and `bm_sz` are on ordinary pages.
 */
export const akamai: readonly BanRule[] = [
  {
    name: 'akamai: access denied',
    body: /<title>Access Denied<\/title>[\s\S]{0,1500}Reference\s{0,5}(?:#|&#35;|&#x23;)\d{1,3}(?:\.|&#46;|&#x2e;)[0-9a-f]/i,
  },
  { name: 'akamai: challenge', body: /\bid="sec-(?:if|bc)-(?:cpt|tile)-container"|\bclass="sec-(?:if|bc)-(?:cpt|tile)-container"/ },
]
