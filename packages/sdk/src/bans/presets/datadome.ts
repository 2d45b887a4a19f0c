import type { BanRule } from '../ban-rule.ts'

/**
 * DataDome.
 *
 * - A blocked request is answered with 403 (or 401); the page holds `var dd={'rt':...,'host':'geo.captcha-delivery.com'}` and the script
 *   `https://ct.captcha-delivery.com/c.js` (captcha) or `i.js` (device check); where JSON is accepted the body is
 *   `{"url":"https://geo.captcha-delivery.com/..."}` and the header `x-dd-b` is set
 *   (docs.datadome.co/reference/validate-request, docs.disasm.dev/datadome/interstitial).
 * - Some sites redirect to `geo.captcha-delivery.com` instead (301 and 302 in the same reference).
 *
 * `x-datadome: protected` and the cookie `datadome` are on every answer of a protected site: no sign. Its tag on ordinary pages is
 * `js.datadome.co/tags.js`.
 */
export const datadome: readonly BanRule[] = [
  { name: 'datadome: blocked', status: [401, 403], headers: { 'x-dd-b': /^/ } },
  { name: 'datadome: redirect', location: /^https:\/\/(?:geo|interstitial)\.captcha-delivery\.com\// },
  {
    name: 'datadome: captcha',
    status: [200, 401, 403, 405],
    body: /\bvar dd\s{0,5}=\s{0,5}\{[^}]{0,1000}captcha-delivery\.com|"url"\s{0,5}:\s{0,5}"https:\\?\/\\?\/(?:geo|interstitial)\.captcha-delivery\.com/,
  },
]
