import type { ApiKey } from './api-key.ts'
import { readBounded } from './bounded-body.ts'

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
type HubAnswer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: HubProblem }

/** The two things that the page asks a hub. Neither throws. */
export interface HubClient {
  /** `GET /status`, as parsed JSON that nobody has checked. */
  status: (signal: AbortSignal) => Promise<HubAnswer<unknown>>
  /** `GET /api/v1/events` from after `lastEventId`: the open stream. */
  events: (lastEventId: string, signal: AbortSignal) => Promise<HubAnswer<ReadableStream<Uint8Array>>>
}

/** How long an answer may take to begin, ms. */
const ANSWER_TIMEOUT_MS = 10_000
/** The longest answer that is read, bytes: room for some 50,000 devices. */
const LONGEST_BODY = 32 * 1024 * 1024
const LONGEST_PROBLEM = 64 * 1024

/** `base`: the hub's address, ending in `/`. */
export function createHubClient(base: string, key: ApiKey, fetch: typeof globalThis.fetch): HubClient {
  async function get(
    path: string,
    accept: string,
    signal: AbortSignal,
    headers: Record<string, string> = {},
  ): Promise<HubAnswer<Response>> {
    const secret = key.get()
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(), ANSWER_TIMEOUT_MS)
    try {
      const response = await fetch(new URL(path, base), {
        cache: 'no-store',
        headers: { accept, ...headers, ...(secret === null ? {} : { authorization: `Bearer ${secret}` }) },
        signal: AbortSignal.any([signal, deadline.signal]),
      })
      if (response.ok) return { ok: true, value: response }
      return { ok: false, problem: await readProblem(response, secret !== null) }
    } catch {
      return { ok: false, problem: { kind: 'unreachable' } }
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    async status(signal) {
      const answer = await get('status', 'application/json', AbortSignal.any([signal, AbortSignal.timeout(3 * ANSWER_TIMEOUT_MS)]))
      if (!answer.ok) return answer
      try {
        return { ok: true, value: JSON.parse(await readBounded(answer.value, LONGEST_BODY)) }
      } catch (error) {
        const isNonsense = error instanceof SyntaxError || error instanceof RangeError
        return { ok: false, problem: { kind: isNonsense ? 'not_a_hub' : 'unreachable' } }
      }
    },
    async events(lastEventId, signal) {
      const answer = await get('api/v1/events', 'text/event-stream', signal, lastEventId === '' ? {} : { 'last-event-id': lastEventId })
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

/** `detail` of a problem document (RFC 9457). */
function readDetail(text: string): string | null {
  try {
    const document: unknown = JSON.parse(text)
    const detail = typeof document === 'object' && document !== null && 'detail' in document ? document.detail : null
    return typeof detail === 'string' ? detail.slice(0, 300) : null
  } catch {
    return null
  }
}
