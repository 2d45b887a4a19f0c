/** What a client chooses by its user name. */
export interface Choices {
  /** Whatever stands before the choices: a label for people, the key decides who it is. */
  readonly user: string
  /** Requests with the same one stay on one device; null: each may go anywhere. */
  readonly session: string | null
  /** How long the session lasts without a request, ms; null: as the gateway has it. */
  readonly ttlMs: number | null
  /** Fail instead of going on with another exit IP. */
  readonly strict: boolean
  /** Rotate the session's device when the session is over. */
  readonly rotate: boolean
  /** Two letters, upper case. */
  readonly country: string | null
  readonly operator: string | null
  readonly region: string | null
  /** Name or id. */
  readonly device: string | null
  /** The client reports its requests itself, as `MobilePool` does: the gateway writes nothing of them into the log. */
  readonly reportsItself: boolean
  /** All of them must be on the device. */
  readonly tags: readonly string[]
}

/** A user name, read; or what is wrong with it and what would be right, for the client. */
export type ReadUserName = { readonly choices: Choices } | { readonly problem: string }

/** One name of a choice, ours or a vendor's. */
interface Word {
  readonly choice: keyof typeof choices | 'ignored'
  /** What a number without a unit means. */
  readonly unit?: 's' | 'm'
  /** A vendor's session that must keep its IP. */
  readonly isStrict?: true
}

/** What each choice needs to be. `isWide`: its value may hold hyphens, up to the next choice. */
const choices = {
  session: { isWide: false, wants: '1 to 50 letters, digits or . _ ~' },
  ttl: { isWide: false, wants: 'a time from 1s to 7d: minutes, or with a unit as in 90s, 30m, 12h' },
  strict: { isWide: false, wants: '1 or 0, or nothing' },
  rotate: { isWide: false, wants: '1 or 0' },
  country: { isWide: false, wants: 'two letters, as in KR' },
  operator: { isWide: true, wants: 'the name of an operator' },
  region: { isWide: true, wants: 'the name of a region' },
  device: { isWide: true, wants: 'the name or id of a device' },
  tag: { isWide: true, wants: 'a tag' },
  reports: { isWide: false, wants: '"own"' },
} as const

/** Aliases are those of Oxylabs, SOAX, Evomi, IPRoyal, Geonode, Bright Data, Proxyrack, Apify and proxies.sx. */
const words: ReadonlyMap<string, Word> = new Map<string, Word>([
  ...(Object.keys(choices) as (keyof typeof choices)[]).map((choice): [string, Word] => [choice, { choice }]),
  ...['sessid', 'sessionid', 'sid'].map((name): [string, Word] => [name, { choice: 'session' }]),
  ['hardsession', { choice: 'session', isStrict: true }],
  ...['sesstime', 'sessionduration', 'lifetime'].map((name): [string, Word] => [name, { choice: 'ttl' }]),
  ['sessionlength', { choice: 'ttl', unit: 's' }],
  ['rot', { choice: 'rotate' }],
  ['cc', { choice: 'country' }],
  ...['carrier', 'isp'].map((name): [string, Word] => [name, { choice: 'operator' }]),
  ...['city', 'state'].map((name): [string, Word] => [name, { choice: 'region' }]),
  ...['group', 'groups'].map((name): [string, Word] => [name, { choice: 'tag' }]),
  // Account words of vendors: whose request it is says the key.
  ...['customer', 'zone', 'package'].map((name): [string, Word] => [name, { choice: 'ignored' }]),
])

/** `_` is part of names and ids; only before a choice it separates. */
const separator = new RegExp(`[-,]|_(?=(?:${[...words.keys()].join('|')})(?:[-,_]|$))`, 'iu')
const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const LONGEST_TTL_MS = 7 * UNITS_MS.d
/** Longer ones are refused unread. */
const LONGEST = 512

/**
 * Reads a user name: `USER-session-ID-ttl-MIN-strict-country-CC-operator-NAME-region-NAME-device-NAME-tag-T-rotate-1-reports-own`, each choice at
 * most once (tags: many), in any order and case, separated by `-`, `,` or `_`. Names may hold hyphens, and percent-encoded whatever would
 * be read as a choice. A word that is no choice is a problem that names it: a typing error must not unstick a session in silence.
 */
export function readUserName(userName: string): ReadUserName {
  if (userName.length > LONGEST) return { problem: `The user name is longer than ${LONGEST} characters.` }
  const parts = userName.split(separator)
  const [first = ''] = parts
  let at = wordOf(first) !== undefined && parts.length > 1 ? 0 : 1
  const user = at === 0 ? '' : first
  const given = new Map<keyof typeof choices, string>()
  const tags: string[] = []
  let unit: Word['unit']
  let isStrict = false
  while (at < parts.length) {
    const name = parts[at] ?? ''
    const word = wordOf(name)
    if (word === undefined) return { problem: unknown(name) }
    const begin = at + 1
    at = endOfValue(parts, begin, word)
    const text = parts.slice(begin, at).join('-')
    if (word.choice === 'ignored') continue
    const value = decoded(text)
    if (value === null || !isRight(word.choice, value, word.unit))
      return {
        problem: `"${shown(name)}" in the user name needs ${choices[word.choice].wants}${text === '' ? '' : `, not "${shown(text)}"`}.`,
      }
    if (word.choice === 'tag') tags.push(value)
    else if (given.has(word.choice)) return { problem: `The user name says "${word.choice}" twice.` }
    else given.set(word.choice, value)
    if (word.choice === 'ttl') unit = word.unit
    isStrict ||= word.isStrict === true
  }
  const strict = isStrict || isOn(given.get('strict'))
  const rotate = isOn(given.get('rotate'))
  const session = given.get('session') ?? null
  const ttl = given.get('ttl')
  const homeless = session !== null ? null : ttl !== undefined ? 'ttl' : strict ? 'strict' : rotate ? 'rotate' : null
  if (homeless !== null)
    return {
      problem: `"${homeless}" in the user name needs a session, as in USER-session-abc-${homeless === 'ttl' ? 'ttl-30' : homeless}.`,
    }
  return {
    choices: {
      user,
      session,
      ttlMs: ttl === undefined ? null : millisecondsOf(ttl, unit),
      strict,
      rotate,
      country: given.get('country')?.toUpperCase() ?? null,
      operator: given.get('operator') ?? null,
      region: given.get('region') ?? null,
      device: given.get('device') ?? null,
      reportsItself: given.has('reports'),
      tags,
    },
  }
}

const wordOf = (text: string): Word | undefined => words.get(text.toLowerCase())

/** Where the value of a choice ends that begins there. */
function endOfValue(parts: readonly string[], begin: number, { choice }: Word): number {
  // What they say by themselves needs no value.
  if (choice === 'strict' || choice === 'rotate') return /^[01]$/.test(parts[begin] ?? '') ? begin + 1 : begin
  let end = Math.min(begin + 1, parts.length)
  if (choice === 'ignored' || !choices[choice].isWide) return end
  while (end < parts.length && wordOf(parts[end] ?? '') === undefined) end++
  return end
}

function isRight(choice: keyof typeof choices, value: string, unit: Word['unit']): boolean {
  switch (choice) {
    case 'session':
      return /^[\w.~]{1,50}$/.test(value)
    case 'ttl': {
      const ms = millisecondsOf(value, unit)
      return ms !== null && ms >= UNITS_MS.s && ms <= LONGEST_TTL_MS
    }
    case 'country':
      return /^[a-z]{2}$/i.test(value)
    case 'reports':
      return value === 'own'
    case 'strict':
    case 'rotate':
      return /^[01]?$/.test(value)
    default:
      return value.length >= 1 && value.length <= 255 && !/\p{Cc}/u.test(value)
  }
}

/** Null: it is no time. */
function millisecondsOf(text: string, unit: Word['unit'] = 'm'): number | null {
  const [, digits, given] = /^(\d{1,7})([smhd]?)$/i.exec(text) ?? []
  if (digits === undefined) return null
  return Number(digits) * UNITS_MS[(given?.toLowerCase() || unit) as keyof typeof UNITS_MS]
}

/** `-strict` and `-strict-1`; undefined: not said. */
const isOn = (value: string | undefined): boolean => value !== undefined && value !== '0'

/** Null: its percent signs make no sense. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** As it can stand in an answer. */
const shown = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}...` : text).replace(/[^\x20-\x7e]/g, '?')

const unknown = (name: string): string =>
  `"${shown(name)}" in the user name is no choice. There are: ${Object.keys(choices).join(', ')}; as in USER-session-abc-ttl-30-country-KR.`
