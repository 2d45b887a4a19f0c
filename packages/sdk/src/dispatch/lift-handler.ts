import type { Duplex } from 'node:stream'
import type { DispatchController, DispatchHandler, LegacyHandler, ResponseHeaders } from './handlers.ts'

/**
 * Makes one handler API of the two. Undici's own wrapper is not used: it drops raw headers in the upgrade case,
 * and a lifted handler here answers to the old names too, so that interceptors of undici 6 composed over the pool still work.
 */
export function liftHandler(handler: DispatchHandler | LegacyHandler): DispatchHandler {
  return isNewStyle(handler) ? handler : new LiftedHandler(handler)
}

/** Which of the two APIs: undici tells them apart by this method too. */
const isNewStyle = (handler: DispatchHandler | LegacyHandler): handler is DispatchHandler =>
  'onRequestStart' in handler && typeof handler.onRequestStart === 'function'

class LiftedHandler implements DispatchHandler, LegacyHandler {
  readonly #legacy: LegacyHandler

  constructor(legacy: LegacyHandler) {
    this.#legacy = legacy
  }

  onRequestStart(controller: DispatchController, context: unknown): void {
    this.#legacy.onConnect?.((reason) => controller.abort(reason), context)
  }

  onRequestUpgrade(controller: DispatchController, statusCode: number, headers: ResponseHeaders, socket: Duplex): void {
    this.#legacy.onUpgrade?.(statusCode, controller.rawHeaders ?? toRaw(headers), socket)
  }

  onResponseStarted(): void {
    this.#legacy.onResponseStarted?.()
  }

  onResponseStart(controller: DispatchController, statusCode: number, headers: ResponseHeaders, statusMessage?: string): void {
    const goOn = this.#legacy.onHeaders?.(statusCode, controller.rawHeaders ?? toRaw(headers), () => controller.resume(), statusMessage)
    if (goOn === false) controller.pause()
  }

  onResponseData(controller: DispatchController, chunk: Buffer): void {
    if (this.#legacy.onData?.(chunk) === false) controller.pause()
  }

  onResponseEnd(controller: DispatchController, trailers: ResponseHeaders): void {
    this.#legacy.onComplete?.(controller.rawTrailers ?? toRaw(trailers))
  }

  onResponseError(_controller: DispatchController | null, error: Error): void {
    this.#legacy.onError?.(error)
  }

  onBodySent(chunk: Buffer): void {
    this.#legacy.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.#legacy.onRequestSent?.()
  }

  onConnect(abort: (reason?: Error) => void, context: unknown): void {
    this.#legacy.onConnect?.(abort, context)
  }

  onUpgrade(statusCode: number, rawHeaders: unknown, socket: Duplex): void {
    this.#legacy.onUpgrade?.(statusCode, rawHeaders, socket)
  }

  onHeaders(statusCode: number, rawHeaders: unknown, resume: () => void, statusMessage?: string): boolean | undefined {
    return this.#legacy.onHeaders?.(statusCode, rawHeaders, resume, statusMessage)
  }

  onData(chunk: Buffer): boolean | undefined {
    return this.#legacy.onData?.(chunk)
  }

  onComplete(rawTrailers: unknown): void {
    this.#legacy.onComplete?.(rawTrailers)
  }

  onError(error: Error): void {
    this.#legacy.onError?.(error)
  }
}

function toRaw(headers: ResponseHeaders): Buffer[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((one) => [Buffer.from(name, 'latin1'), Buffer.from(one, 'latin1')]),
  )
}
