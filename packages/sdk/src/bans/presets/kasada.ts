import type { BanRule } from '../ban-rule.ts'

/**
 * Kasada: a request without its token gets 429 (some sites: 403), often the very first one, with a page of nothing but
 * `<script>window.KPSDK={};KPSDK.now=...` and `<script src="/149e9513-.../2d206a39-.../ips.js?...">`, and headers `x-kpsdk-ct`, `x-kpsdk-im`
 * (scrappey.com/qa/web-automation/how-kasada-detects-bots, blog.crawlex.net/blog/kasada-kpsdk-token-vm).
 * Answers that are let through carry `x-kpsdk-ct` as well, with their own status: the header alone is no sign.
 */
export const kasada: readonly BanRule[] = [
  { name: 'kasada: refused', status: [403, 428, 429], headers: { 'x-kpsdk-ct': /^/ } },
  { name: 'kasada: challenge page', status: [403, 428, 429], body: /\bwindow\.KPSDK\s{0,5}=|\/ips\.js\?/ },
]
