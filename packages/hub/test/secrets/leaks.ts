import type { Traced } from './trace.ts'

/** Secrets that hubs make up themselves are known by their form: keys and enrolment tokens, access tokens, rotation links. */
const MADE_BY_HUBS = [/\bmp[a-z]*_[\w-]{43}\b/g, /\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}/g]

/** Answers whose purpose is to show a secret, once. Everything else that shows one is a leak. */
const SHOWS_A_SECRET: readonly [method: string, path: RegExp, text?: RegExp][] = [
  ['POST', /^\/api\/v1\/keys$/],
  ['POST', /^\/api\/v1\/agents\/(tokens|enroll)$/],
  ['POST', /^\/api\/v1\/auth\/(login|refresh|password)$/],
  ['POST', /^\/api\/v1\/admin\/devices\/[^/]+\/rotation-links$/],
  // Proxy URLs, one a line, with the asker's own key where the gateway is the way to a device.
  ['GET', /^\/api\/v1\/proxy\/(list|random|by-operator)$/, /"content-type":"text\/plain/],
]

/** Where a secret turned up; it is named by its beginning only. Each place once. */
export function findLeaks(traced: Iterable<Traced>): string[] {
  const all = [...traced]
  const secrets = [...new Set(all.flatMap((entry) => (entry.kind === 'secret' ? [entry.value] : [])))]
  const leaks = new Set<string>()
  for (const entry of all) {
    if (entry.kind === 'secret') continue
    if (entry.kind === 'answer' && SHOWS_A_SECRET.some((place) => isAt(place, entry))) continue
    const made = MADE_BY_HUBS.flatMap((form) => [...entry.text.matchAll(form)].map(([found]) => found))
    const found = [...secrets.filter((secret) => entry.text.includes(secret)), ...made]
    for (const secret of found) leaks.add(`${secret.slice(0, 8)}... in ${whereOf(entry, secret)}`)
  }
  return [...leaks]
}

const isAt = ([method, path, text]: (typeof SHOWS_A_SECRET)[number], answer: Extract<Traced, { kind: 'answer' }>): boolean =>
  method === answer.method && path.test(answer.path) && (text === undefined || text.test(answer.text))

function whereOf(entry: Exclude<Traced, { kind: 'secret' }>, secret: string): string {
  if (entry.kind === 'answer') return `the answer of ${entry.method} ${entry.path}`
  const line = entry.text.split('\n').find((one) => one.includes(secret)) ?? entry.text
  return `the log: ${line.replaceAll(secret, '***').slice(0, 200)}`
}
