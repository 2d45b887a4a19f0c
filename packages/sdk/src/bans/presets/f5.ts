import type { BanRule } from '../ban-rule.ts'

/**
 * F5 BIG-IP ASM (Advanced WAF), and Shape behind it: status 200 (!), title "Request Rejected", "The requested URL was rejected. Please
 * consult with your administrator." and "Your support ID is: 15549882842558379424" (github.com/Ekultek/WhatWaf/issues/1371 and 1400,
 * github.com/ariya/phantomjs/issues/14601). Sites translate the sentences; title and support ID mostly stay.
 */
export const f5: readonly BanRule[] = [
  {
    name: 'f5: request rejected',
    body: /The requested URL was rejected\. Please consult with your administrator|<title>Request Rejected<\/title>[\s\S]{0,1500}support ID is:?\s{0,5}(?:<[a-z]{1,10}>\s{0,5})?\d{10}/i,
  },
]
