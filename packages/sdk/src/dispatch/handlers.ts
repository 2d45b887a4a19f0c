import type { Duplex } from 'node:stream'
import type { AttemptKind } from '../errors.ts'

export type ResponseHeaders = Record<string, string | string[] | undefined>

/** What undici passes with a request. Only what the pool looks at is named; the rest goes through untouched. */
export interface DispatchOptions {
  readonly origin?: string | URL
  readonly path: string
  readonly method: string
  readonly headers?: unknown
  readonly body?: unknown
  readonly upgrade?: boolean | string | null
  readonly idempotent?: boolean
  /** The caller's own limit, ms; 0: none. */
  readonly headersTimeout?: number | null
  /** The caller's own limit for a silence in the response body, ms; 0: none. */
  readonly bodyTimeout?: number | null
}

/** What a handler of undici 7 and 8 holds on to: one per request, valid for all of its life. */
export interface DispatchController {
  readonly aborted: boolean
  readonly paused: boolean
  readonly reason: Error | null
  readonly rawHeaders: unknown
  readonly rawTrailers: unknown
  abort(reason?: Error): void
  pause(): void
  resume(): void
}

/** The handler API of undici 7 and 8. */
export interface DispatchHandler {
  onRequestStart?(controller: DispatchController, context: unknown): void
  onRequestUpgrade?(controller: DispatchController, statusCode: number, headers: ResponseHeaders, socket: Duplex): void
  onResponseStarted?(): void
  onResponseStart?(controller: DispatchController, statusCode: number, headers: ResponseHeaders, statusMessage?: string): void
  onResponseData?(controller: DispatchController, chunk: Buffer): void
  onResponseEnd?(controller: DispatchController, trailers: ResponseHeaders): void
  onResponseError?(controller: DispatchController | null, error: Error): void
  onBodySent?(chunk: Buffer): void
  onRequestSent?(): void
  /** The pool's own, for its cache: what the response that begins next was taken for. */
  onPoolVerdict?(kind: AttemptKind): void
}

/** The handler API of undici 6, and of the fetch that is built into Node 20, 22 and 24. */
export interface LegacyHandler {
  onConnect?(abort: (reason?: Error) => void, context: unknown): void
  onUpgrade?(statusCode: number, rawHeaders: unknown, socket: Duplex): void
  onResponseStarted?(): void
  onHeaders?(statusCode: number, rawHeaders: unknown, resume: () => void, statusMessage?: string): boolean | undefined
  onData?(chunk: Buffer): boolean | undefined
  onComplete?(rawTrailers: unknown): void
  onError?(error: Error): void
  onBodySent?(chunk: Buffer): void
  onRequestSent?(): void
}
