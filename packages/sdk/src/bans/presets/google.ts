import type { BanRule } from '../ban-rule.ts'

/**
 * Google's own sites: 302 to `https://www.google.com/sorry/index?continue=...`, whose page is a 429 that says "Our systems have detected
 * unusual traffic from your computer network" (in the client's language) around `<form id="captcha-form" action="index">`
 * (support.google.com/websearch/answer/86640). Pages of others that quote the sentence lack the form.
 */
export const google: readonly BanRule[] = [
  { name: 'google: sorry redirect', location: /^https?:\/\/[^/]{1,100}\.google\.[a-z.]{2,10}\/sorry\// },
  { name: 'google: sorry page', status: [200, 403, 429, 503], body: /<form id="captcha-form" action="index"/ },
]
