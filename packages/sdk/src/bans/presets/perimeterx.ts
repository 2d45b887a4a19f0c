import type { BanRule } from '../ban-rule.ts'

/**
 * PerimeterX, now HUMAN.
 *
 * - Block page: 403, title "Access to this page has been denied", `<meta name="description" content="px-captcha">`,
 *   `window._pxAppId = 'PX...'`, `window._pxUuid` (github.com/0xjas0/Chegg-Answer-Bot/issues/34, github.com/Ekultek/WhatWaf/issues/47).
 * - Where JSON is accepted ("advanced blocking response"): 403 with `appId`, `jsClientSrc`, `firstPartyEnabled`, `vid`, `uuid`, `hostUrl`,
 *   `blockScript` (docs.perimeterx.com/pxconsole/docs/advanced-blocking-response).
 * - Redirect to the site's own block page with `uuid` and `vid` in the query: too common a shape to be a rule.
 *
 * The cookies `_px3`, `_pxhd`, `_pxvid` are on ordinary pages, as are `_pxAppId` and `init.js`.
 */
export const perimeterx: readonly BanRule[] = [
  {
    name: 'perimeterx: blocked',
    body: /<title>Access to this page has been denied|<meta name="description" content="px-captcha"|<div id="px-captcha"/,
  },
  {
    name: 'perimeterx: blocked (JSON)',
    status: [401, 403, 429],
    body: /"(?:blockScript|jsClientSrc)"\s{0,5}:\s{0,5}"[^"]{0,300}(?:captcha|init)/,
  },
]
