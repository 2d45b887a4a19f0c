/** Walls that are known: see the file of each for what tells it. */
export const presetNames = [
  'akamai',
  'aws-waf',
  'cloudflare',
  'datadome',
  'ddos-guard',
  'f5',
  'google',
  'imperva',
  'kasada',
  'perimeterx',
  'qrator',
  'vercel',
  'yandex',
] as const

/** One of `presetNames`. */
export type PresetName = (typeof presetNames)[number]
