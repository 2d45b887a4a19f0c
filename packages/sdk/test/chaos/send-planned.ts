import { createHash } from 'node:crypto'
import { Readable, Writable } from 'node:stream'
import { type MobilePool, MobilePoolError } from '@mobilepool/sdk'
import { request, stream } from 'undici'
import { readMarkedBody } from './marked-body.ts'
import type { PlannedRequest } from './planned-request.ts'

/** How a request ended. `wrong` is what must never be: a body that is not the origin's, an answer to another request, an error of no known kind. */
export type End = { readonly kind: 'expected'; readonly what: string } | { readonly kind: 'wrong'; readonly what: string }

/** Codes that a request may end with when devices misbehave. */
const KNOWN_CODES = new Set([
  'MP_RETRIES_EXHAUSTED',
  'MP_NO_RESPONSE',
  'MP_RESPONSE_TIMEOUT',
  'MP_RESPONSE_BROKEN',
  'MP_DEVICE_ROTATED',
  'MP_DEVICE_CONNECT',
  'MP_DEVICE_AUTH',
  'MP_DEVICE_DRAINING',
  'MP_NO_DEVICE',
  'MP_ALL_BANNED',
  'MP_QUEUE_TIMEOUT',
  'MP_TUNNEL_REFUSED',
  'MP_TUNNEL_TIMEOUT',
  'MP_TARGET_TLS',
])
/** Statuses that devices and origins of a chaos run answer with besides 200. */
const KNOWN_STATUSES = new Set([403, 502, 503, 504])

/** A body that says nothing for so long is given up by its caller; the pool leaves bodies to callers. */
const BODY_PATIENCE_MS = 2_000
/** fetch knows no body time-out: its callers limit the whole. */
const FETCH_PATIENCE_MS = 4_000

const expected = (what: string): End => ({ kind: 'expected', what })
const wrong = (what: string): End => ({ kind: 'wrong', what })

/**
 * Sends the request the way its plan has it, and checks what comes of it. `signals` takes the signal that is this request's own: nobody may
 * listen to it afterwards. Not that of `fetch`, which listens until it is garbage, whatever the dispatcher.
 */
export async function sendPlanned(
  plan: PlannedRequest,
  url: string,
  pool: MobilePool,
  shared: AbortSignal,
  signals: Set<AbortSignal>,
): Promise<End> {
  const signal = signalOf(plan, shared)
  if (signal !== undefined && signal !== shared && plan.client !== 'fetch') signals.add(signal)
  try {
    const answer = await senders[plan.client](plan, url, pool, signal)
    return answer === 'given up' ? expected('given up') : judge(plan, answer)
  } catch (error) {
    const cause = error instanceof TypeError && error.cause instanceof Error ? error.cause : error
    if (cause instanceof MobilePoolError && KNOWN_CODES.has(cause.code)) return expected(cause.code)
    const isAbort = cause instanceof Error && (cause.name === 'AbortError' || cause.name === 'TimeoutError')
    if (isAbort && (plan.abort.kind === 'before' || plan.abort.kind === 'after')) return expected('aborted')
    if (isAbort && plan.client === 'fetch') return expected('patience over')
    return wrong(`error ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`)
  }
}

interface Answer {
  readonly status: number
  readonly body: Buffer
}

type Sender = (plan: PlannedRequest, url: string, pool: MobilePool, signal: AbortSignal | undefined) => Promise<Answer | 'given up'>

const senders: Record<PlannedRequest['client'], Sender> = {
  async fetch({ method, body, reads }, url, pool, signal) {
    const payload = { none: null, text: body.bytes.toString(), bytes: body.bytes, stream: new Blob([new Uint8Array(body.bytes)]).stream() }[
      body.kind
    ]
    const response = await pool.fetch(url, {
      method,
      body: payload,
      signal: signal ?? AbortSignal.timeout(FETCH_PATIENCE_MS),
      duplex: 'half',
    } as RequestInit)
    if (reads === 'nothing') {
      await response.body?.cancel()
      return 'given up'
    }
    if (reads === 'first') {
      const reader = response.body?.getReader()
      await reader?.read()
      await reader?.cancel()
      return 'given up'
    }
    return { status: response.status, body: Buffer.from(await response.arrayBuffer()) }
  },

  async request({ method, body, reads }, url, pool, signal) {
    const { statusCode, body: answer } = await request(url, optionsFor(method, body, pool, signal))
    if (reads === 'nothing') {
      await answer.dump()
      return 'given up'
    }
    if (reads === 'first') {
      for await (const _piece of answer) break
      return 'given up'
    }
    return { status: statusCode, body: Buffer.from(await answer.arrayBuffer()) }
  },

  async stream({ method, body }, url, pool, signal) {
    let status = 0
    const pieces: Buffer[] = []
    await stream(url, optionsFor(method, body, pool, signal), ({ statusCode }) => {
      status = statusCode
      return new Writable({
        write(piece: Buffer, _encoding, done) {
          pieces.push(piece)
          setImmediate(done)
        },
      })
    })
    return { status, body: Buffer.concat(pieces) }
  },
}

function optionsFor(method: PlannedRequest['method'], body: PlannedRequest['body'], pool: MobilePool, signal: AbortSignal | undefined) {
  const payload = {
    none: null,
    text: body.bytes.toString(),
    bytes: body.bytes,
    stream: body.kind === 'stream' ? Readable.from(pieces(body.bytes)) : null,
  }[body.kind]
  return { dispatcher: pool.dispatcher, method, body: payload, signal: signal ?? null, bodyTimeout: BODY_PATIENCE_MS }
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 8_192) yield bytes.subarray(at, at + 8_192)
}

function signalOf({ abort, client }: PlannedRequest, shared: AbortSignal): AbortSignal | undefined {
  switch (abort.kind) {
    case 'before':
      return AbortSignal.abort()
    case 'after':
      return AbortSignal.timeout(abort.ms)
    case 'shared':
      return client === 'fetch' ? undefined : shared
    case 'none':
      return undefined
  }
}

function judge({ id, body }: PlannedRequest, answer: Answer): End {
  if (answer.status !== 200)
    return KNOWN_STATUSES.has(answer.status) ? expected(`status ${answer.status}`) : wrong(`status ${answer.status}`)
  const mark = readMarkedBody(answer.body)
  if (mark === undefined) return wrong(`a body of ${answer.body.length} bytes that no origin sent`)
  if (mark.id !== id) return wrong(`the answer to ${mark.id}`)
  const sent = createHash('sha1').update(body.bytes).digest('hex')
  return mark.received === sent ? expected('ok') : wrong('the request body did not arrive as it was sent')
}
