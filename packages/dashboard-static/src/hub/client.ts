import { readBounded } from './bounded-body.ts'
import type { Credentials } from './credentials.ts'
import { readDetail } from './problem-detail.ts'

/** Why the hub did not give what was asked. */
export type HubProblem =
  /** No answer at all: off, another address, blocked by the browser. */
  | { readonly kind: 'unreachable' }
  /** 401 or 403. `keyGiven`: a key was sent, and this hub does not take it. */
  | { readonly kind: 'key_needed'; readonly keyGiven: boolean }
  /** Another error status; `detail` is the hub's own sentence, if it gave one. */
  | { readonly kind: 'refused'; readonly status: number; readonly detail: string | null; readonly retryAfterMs: number }
  /** It answered, but not as a hub answers. */
  | { readonly kind: 'not_a_hub' }

/** What was asked for, or why not. */
export type HubAnswer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: HubProblem }

/** What is asked of the hub once, by a view. */
export interface Question {
  /** @default 'GET' */
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  /** Under the hub's address, without a leading slash: `api/v1/rotations?limit=20`. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** What the page asks a hub. Nothing of it throws. */
export interface HubClient {
  /** `GET /status`, as parsed JSON that nobody has checked. */
  status: (signal: AbortSignal) => Promise<HubAnswer<unknown>>
  /** `GET /api/v1/events` from after `lastEventId`: the open stream. */
  events: (lastEventId: string, signal: AbortSignal) => Promise<HubAnswer<ReadableStream<Uint8Array>>>
  /** Anything else of the API, as parsed JSON that nobody has checked; null for an answer without content. */
  ask: (question: Question) => Promise<HubAnswer<unknown>>
  /** A file of the API, like an export, whole. */
  file: (path: string) => Promise<HubAnswer<Blob>>
}

/** How long an answer may take to begin, ms. */
const ANSWER_TIMEOUT_MS = 10_000
/** How long a file may take in all, ms: an export of a month over a phone's connection. */
const FILE_TIMEOUT_MS = 300_000
/** The longest answer that is read, bytes: room for some 50,000 devices. */
const LONGEST_BODY = 32 * 1024 * 1024
const LONGEST_PROBLEM = 64 * 1024

/** `base`: the hub's address, ending in `/`. */
export function createHubClient(base: string, credentials: Credentials, fetch: typeof globalThis.fetch): HubClient {
  async function send(
    path: string,
    request: RequestInit & { signal: AbortSignal; headers: Record<string, string> },
  ): Promise<HubAnswer<Response>> {
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(), ANSWER_TIMEOUT_MS)
    const sendWith = (secret: string | null): Promise<Response> =>
      fetch(new URL(path, base), {
        cache: 'no-store',
        ...request,
        headers: { ...request.headers, ...(secret === null ? {} : { authorization: `Bearer ${secret}` }) },
        signal: AbortSignal.any([request.signal, deadline.signal]),
      })
    try {
      let secret = await credentials.get()
      let response = await sendWith(secret)
      if (response.status === 401 && secret !== null) {
        const next = await credentials.renew(secret)
        if (next !== secret) {
          await response.body?.cancel()
          secret = next
          response = await sendWith(secret)
        }
      }
      if (response.ok) return { ok: true, value: response }
      return { ok: false, problem: await readProblem(response, secret !== null) }
    } catch {
      return { ok: false, problem: { kind: 'unreachable' } }
    } finally {
      clearTimeout(timer)
    }
  }

  async function json({ method = 'GET', path, body, signal = new AbortController().signal }: Question): Promise<HubAnswer<unknown>> {
    const answer = await send(path, {
      method,
      signal: AbortSignal.any([signal, AbortSignal.timeout(3 * ANSWER_TIMEOUT_MS)]),
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!answer.ok) return answer
    try {
      const text = await readBounded(answer.value, LONGEST_BODY)
      return { ok: true, value: answer.value.status === 204 ? null : JSON.parse(text) }
    } catch (error) {
      const isNonsense = error instanceof SyntaxError || error instanceof RangeError
      return { ok: false, problem: { kind: isNonsense ? 'not_a_hub' : 'unreachable' } }
    }
  }

  return {
    ask: json,
    async file(path) {
      const signal = AbortSignal.timeout(FILE_TIMEOUT_MS)
      const answer = await send(path, { signal, headers: { accept: '*/*' } })
      if (!answer.ok) return answer
      return answer.value.blob().then(
        (value) => ({ ok: true as const, value }),
        () => ({ ok: false as const, problem: { kind: 'unreachable' as const } }),
      )
    },
    status: (signal) => json({ path: 'status', signal }),
    async events(lastEventId, signal) {
      const answer = await send('api/v1/events', {
        signal,
        headers: { accept: 'text/event-stream', ...(lastEventId === '' ? {} : { 'last-event-id': lastEventId }) },
      })
      if (!answer.ok) return answer
      const { body, headers } = answer.value
      if (body && headers.get('content-type')?.startsWith('text/event-stream')) return { ok: true, value: body }
      await body?.cancel().catch(() => undefined)
      return { ok: false, problem: { kind: 'not_a_hub' } }
    },
  }
}

async function readProblem(response: Response, keyGiven: boolean): Promise<HubProblem> {
  if (response.status === 401 || response.status === 403) {
    await response.body?.cancel().catch(() => undefined)
    return { kind: 'key_needed', keyGiven }
  }
  const retryAfterMs = 1000 * Number(response.headers.get('retry-after') ?? 0)
  const text = await readBounded(response, LONGEST_PROBLEM).catch(() => '')
  return { kind: 'refused', status: response.status, detail: readDetail(text), retryAfterMs: retryAfterMs > 0 ? retryAfterMs : 0 }
}
