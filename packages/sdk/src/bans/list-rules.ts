import { types } from 'node:util'
import type { BanRule, Pattern } from './ban-rule.ts'
import { presets } from './presets/index.ts'
import { type PresetName, presetNames } from './presets/names.ts'

/** Where rules come from: written out, by preset, or in short. */
export interface RuleSources {
  readonly statuses: readonly number[]
  readonly headers: Readonly<Record<string, Pattern>>
  readonly location: readonly Pattern[]
  readonly body: readonly Pattern[]
  readonly presets: 'all' | readonly PresetName[]
  readonly rules: readonly BanRule[]
}

/** Longest name that a pattern gives its rule. */
const LONGEST_NAME = 100

/** All rules in the order in which they are tried: the more a rule says, the earlier, so that its name is the one that is told. */
export function listRules({ statuses, headers, location, body, presets: wanted, rules }: RuleSources): BanRule[] {
  return [
    ...rules,
    ...(wanted === 'all' ? presetNames : wanted).flatMap((name) => presets[name]),
    ...Object.entries(headers).map(([name, pattern]) => ({ name: `header ${name.toLowerCase()}`, headers: { [name]: pattern } })),
    ...location.map((pattern) => ({ name: nameOf('location', pattern), location: pattern })),
    ...body.map((pattern) => ({ name: nameOf('body', pattern), body: pattern })),
    ...statuses.map((status) => ({ name: `status ${status}`, status })),
  ]
}

const nameOf = (where: string, pattern: Pattern): string =>
  `${where} ${types.isRegExp(pattern) ? String(pattern) : JSON.stringify(pattern)}`.slice(0, LONGEST_NAME)
