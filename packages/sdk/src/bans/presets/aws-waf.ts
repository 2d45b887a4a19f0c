import type { BanRule } from '../ban-rule.ts'

/**
 * AWS WAF. Its answers say themselves what they are: `x-amzn-waf-action: challenge` with status 202, `captcha` with status 405, with or
 * without a page (docs.aws.amazon.com/waf/latest/developerguide/waf-captcha-and-challenge-actions.html). A plain block is 403 with whatever
 * body the site has set: the status tells. Scripts of `awswaf.com` (`challenge.js`, `jsapi.js`) are on ordinary pages too.
 */
export const awsWaf: readonly BanRule[] = [
  { name: 'aws-waf: challenge', headers: { 'x-amzn-waf-action': /^challenge$/i } },
  { name: 'aws-waf: captcha', headers: { 'x-amzn-waf-action': /^captcha$/i } },
]
