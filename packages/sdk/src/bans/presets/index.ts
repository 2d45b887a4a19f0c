import type { BanRule } from '../ban-rule.ts'
import { akamai } from './akamai.ts'
import { awsWaf } from './aws-waf.ts'
import { cloudflare } from './cloudflare.ts'
import { datadome } from './datadome.ts'
import { ddosGuard } from './ddos-guard.ts'
import { f5 } from './f5.ts'
import { google } from './google.ts'
import { imperva } from './imperva.ts'
import { kasada } from './kasada.ts'
import type { PresetName } from './names.ts'
import { perimeterx } from './perimeterx.ts'
import { qrator } from './qrator.ts'
import { vercel } from './vercel.ts'
import { yandex } from './yandex.ts'

/**
 * Rules for common walls. A rule here asks for what only a wall's own page has: a header that the wall sets on it, or its title or
 * text together with the wall's script. The script alone is on ordinary pages too.
 */
export const presets: Readonly<Record<PresetName, readonly BanRule[]>> = {
  akamai,
  'aws-waf': awsWaf,
  cloudflare,
  datadome,
  'ddos-guard': ddosGuard,
  f5,
  google,
  imperva,
  kasada,
  perimeterx,
  qrator,
  vercel,
  yandex,
}
