/** One request of the hub to somebody else. The URL may be a credential: it is in no error and no log. */
export interface OutboundRequest {
  /** `http:` or `https:`. A user and password in it are sent as Basic authentication. */
  url: string
  /** @default 'GET' */
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  headers?: Record<string, string>
  body?: string
  /** For the whole of it, redirects and body included, ms. @default 10,000 */
  timeoutMs?: number
  /** Bytes of the answer that are read; the rest is left. @default 65,536 */
  maxBytes?: number
  /** Redirects followed. @default 3 */
  maxRedirects?: number
  /** Ends it earlier. */
  signal?: AbortSignal
}

/** Somebody answered, whatever it was. */
export interface OutboundAnswer {
  isAnswer: true
  status: number
  /** By lower-case name; of repeated ones the first. */
  headers: Readonly<Record<string, string | undefined>>
  text: string
  /** There was more than `maxBytes`. */
  isCut: boolean
}

/** Why there is no answer. */
export type OutboundFailureKind = 'bad_url' | 'target_refused' | 'unreachable' | 'timed_out' | 'too_many_redirects' | 'canceled'

/** Nobody answered. */
export interface OutboundFailure {
  isAnswer: false
  why: OutboundFailureKind
  /** One sentence that names the host at most, never the URL. */
  detail: string
}

export type OutboundResult = OutboundAnswer | OutboundFailure

/** Sends a request; never throws. */
export type Send = (request: OutboundRequest) => Promise<OutboundResult>

export const outboundDefaults = { timeoutMs: 10_000, maxBytes: 65_536, maxRedirects: 3 } as const
