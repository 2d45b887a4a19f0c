import type { BanRule } from '../ban-rule.ts'

/**
 * Vercel's firewall says itself what it did: `x-vercel-mitigated: challenge` with 403 or 429 and the title "Vercel Security Checkpoint",
 * with a header `x-vercel-challenge-token` (github.com/VeNoMouS/cloudscraper/issues/316), or `deny` with 403.
 */
export const vercel: readonly BanRule[] = [{ name: 'vercel: mitigated', headers: { 'x-vercel-mitigated': /^(?:challenge|deny)$/i } }]
