import type { BanRule } from '../ban-rule.ts'

/**
 * Qrator: 401 (challenge) or 403 (refused), `server: QRATOR`; the challenge's page is an empty body with `<script src="/__qrator/qauth...js">`
 * or `qauth_utm_v2...`, after which the cookies `qrator_jsr`, `qrator_jsid` are set. The server header is on all answers of a site, but
 * Qrator's own 401 has the script. Nothing public documents these pages: weaker evidence than for the other presets.
 */
export const qrator: readonly BanRule[] = [
  { name: 'qrator: challenge', status: [401, 403], body: /\/__qrator\/qauth/ },
  { name: 'qrator: refused', status: 403, headers: { server: /^qrator$/i } },
]
