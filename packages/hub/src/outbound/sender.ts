import { Agent, request as ask, type Dispatcher } from 'undici'
import { guardedLookup, guardLiteral, TargetRefused } from './guarded-lookup.ts'
import { Hops } from './hops.ts'
import {
  type OutboundAnswer,
  type OutboundFailure,
  type OutboundFailureKind,
  type OutboundRequest,
  type OutboundResult,
  outboundDefaults,
  type Send,
} from './outbound.ts'

export interface SenderOptions {
  /** Whether private and loopback addresses may be dialled: modem boxes live there, and only admins set these URLs. */
  allowsPrivate: boolean
  /** What the hub calls itself, where a request has no `user-agent` of its own. */
  userAgent: string
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
/** What another origin may know, too. */
const ALWAYS_SENT = new Set(['user-agent', 'accept'])

/**
 * The one way out of the hub for rotation links, webhooks and probes: bounded in time, bytes and redirects, on a connection of its own.
 *
 * Link-local and metadata addresses are refused always, at the moment of dialling. Private ones are allowed where `allowsPrivate`,
 * since the URLs come from admins and modem boxes are in the LAN; but a redirect never leads from a public address to a private one,
 * nor from TLS to plain text, and headers and body go to the first origin only.
 */
export const createSender =
  (options: SenderOptions): Send =>
  async (request) => {
    const { timeoutMs = outboundDefaults.timeoutMs, maxRedirects = outboundDefaults.maxRedirects } = request
    const timeout = AbortSignal.timeout(Math.ceil(timeoutMs))
    const signal = request.signal ? AbortSignal.any([timeout, request.signal]) : timeout
    const hops = new Hops(options.allowsPrivate)
    let hop: Hop | OutboundFailure = firstHop(request, options.userAgent)
    for (let redirects = 0; ; redirects += 1) {
      if ('isAnswer' in hop) return hop
      const step: OutboundResult | Hop = await take(hop, hops, request, signal).catch((error: unknown) =>
        failureOf(error, hop as Hop, timeout.aborted ? timeoutMs : null, signal.aborted),
      )
      if ('isAnswer' in step) return step
      if (redirects >= maxRedirects)
        return failure('too_many_redirects', `${step.url.host} was the end of more than ${maxRedirects} redirects.`)
      hop = step
    }
  }

/** One request of a chain of redirects. */
interface Hop {
  url: URL
  method: Dispatcher.HttpMethod
  headers: Record<string, string>
  body: string | null
}

function firstHop({ url: text, method = 'GET', headers = {}, body }: OutboundRequest, userAgent: string): Hop | OutboundFailure {
  if (!URL.canParse(text)) return failure('bad_url', 'The URL cannot be read: it must be like https://host/path.')
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return failure('bad_url', `The URL must begin with http:// or https://, not ${url.protocol}//.`)
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const credentials = `${decoded(url.username)}:${decoded(url.password)}`
  const basic = credentials === ':' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
  return { url, method, headers: { 'user-agent': userAgent, ...basic, ...own }, body: body ?? null }
}

/** A per cent sign that encodes nothing stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

async function take(
  hop: Hop,
  hops: Hops,
  { maxBytes = outboundDefaults.maxBytes }: OutboundRequest,
  signal: AbortSignal,
): Promise<OutboundAnswer | OutboundFailure | Hop> {
  guardLiteral(hop.url.hostname, hops.guard)
  const dispatcher = new Agent({ connect: { lookup: guardedLookup(hops.guard) }, pipelining: 0 })
  try {
    const { origin, pathname, search } = hop.url
    const reply = await ask(origin + pathname + search, { dispatcher, method: hop.method, headers: hop.headers, body: hop.body, signal })
    const location = reply.headers.location
    if (REDIRECTS.has(reply.statusCode) && typeof location === 'string') return redirected(hop, reply.statusCode, location)
    return { isAnswer: true, status: reply.statusCode, headers: single(reply.headers), ...(await readText(reply.body, maxBytes)) }
  } finally {
    await dispatcher.destroy()
  }
}

function redirected(hop: Hop, status: number, location: string): Hop | OutboundFailure {
  if (!URL.canParse(location, hop.url.href)) return failure('bad_url', `${hop.url.host} redirects to something that is no URL.`)
  const url = new URL(location, hop.url.href)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && hop.url.protocol === 'http:'))
    return failure('target_refused', `${hop.url.host} redirects from TLS to ${url.protocol}//, which the hub does not follow.`)
  const becomesGet = hop.method !== 'GET' && (status === 303 || (hop.method === 'POST' && (status === 301 || status === 302)))
  const staysAtHome = url.origin === hop.url.origin
  const goesOn = (name: string): boolean => ALWAYS_SENT.has(name) || (staysAtHome && !(becomesGet && name === 'content-type'))
  const headers = Object.fromEntries(Object.entries(hop.headers).filter(([name]) => goesOn(name)))
  return { url, method: becomesGet ? 'GET' : hop.method, headers, body: becomesGet || !staysAtHome ? null : hop.body }
}

const single = (headers: Record<string, string | string[] | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, (Array.isArray(value) ? value[0] : value) ?? '']))

async function readText(body: AsyncIterable<Buffer>, maxBytes: number): Promise<{ text: string; isCut: boolean }> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    size += chunk.length
    if (size > maxBytes) break
  }
  return { text: Buffer.concat(chunks).subarray(0, maxBytes).toString('utf8'), isCut: size > maxBytes }
}

const failure = (why: OutboundFailureKind, detail: string): OutboundFailure => ({ isAnswer: false, why, detail })

function failureOf(error: unknown, { url: { host } }: Hop, timedOutAfterMs: number | null, isAborted: boolean): OutboundFailure {
  if (timedOutAfterMs !== null) return failure('timed_out', `${host} did not answer within ${timedOutAfterMs / 1000} s.`)
  if (isAborted) return failure('canceled', `The request to ${host} was called off.`)
  const refusal = error instanceof TargetRefused ? error : refusalIn(error)
  if (refusal) return failure('target_refused', refusal.message)
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed'
  return failure('unreachable', `${host} cannot be reached (${code}).`)
}

/** Sockets may wrap what the lookup threw. */
function refusalIn(error: unknown): TargetRefused | null {
  const inner = error instanceof AggregateError ? error.errors : error instanceof Error ? [error.cause] : []
  return inner.find((one): one is TargetRefused => one instanceof TargetRefused) ?? null
}
