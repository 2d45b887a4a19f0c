import { types } from 'node:util'
import type { BanMatch, BanRule, Pattern } from './ban-rule.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** A rule in the form in which it is applied. */
export interface CompiledRule {
  readonly match: BanMatch
  /** Null: any. */
  readonly statuses: ReadonlySet<number> | null
  readonly headers: readonly (readonly [string, RegExp])[]
  readonly location: RegExp | null
  readonly body: RegExp | null
  /** Empty: all. */
  readonly hosts: readonly string[]
}

export function compileRule(rule: BanRule): CompiledRule {
  const { name, status, headers = {}, location, body, hosts = [] } = rule
  const conditions = Object.entries(headers).map(([header, pattern]) => [header.toLowerCase(), compilePattern(pattern)] as const)
  const by = body !== undefined ? 'body' : location !== undefined ? 'location' : conditions.length > 0 ? 'header' : 'status'
  return {
    match: { rule: name, by },
    statuses: status === undefined ? null : new Set([status].flat()),
    headers: conditions,
    location: location === undefined ? null : compilePattern(location),
    body: body === undefined ? null : compilePattern(body),
    hosts: hosts.map((host) => host.toLowerCase()),
  }
}

/** Whether a response head fulfils all that the rule asks of heads; its status is looked at elsewhere. */
export function headFits(rule: CompiledRule, hostname: string, statusCode: number, headers: Headers): boolean {
  for (let index = 0; index < rule.headers.length; index++) {
    const [name, pattern] = rule.headers[index] as CompiledRule['headers'][number]
    if (!fitsHeader(pattern, headers[name])) return false
  }
  if (rule.location !== null && !(statusCode >= 300 && statusCode < 400 && fitsHeader(rule.location, headers.location))) return false
  return rule.hosts.length === 0 || isBelow(hostname, rule.hosts)
}

/** `RegExp.test` without what `/g` and `/y` remember from the last time. */
export function fits(pattern: RegExp, text: string): boolean {
  pattern.lastIndex = 0
  return pattern.test(text)
}

/** A RegExp of our own, so that the caller's keeps its state and we ours. */
function compilePattern(pattern: Pattern): RegExp {
  return types.isRegExp(pattern) ? new RegExp(pattern.source, pattern.flags) : new RegExp(literally(pattern), 'i')
}

const literally = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

function fitsHeader(pattern: RegExp, value: string | string[] | undefined): boolean {
  if (value === undefined) return false
  return typeof value === 'string' ? fits(pattern, value) : value.some((one) => fits(pattern, one))
}

function isBelow(hostname: string, hosts: readonly string[]): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, '')
  return hosts.some((host) => name === host || name.endsWith(`.${host}`))
}
