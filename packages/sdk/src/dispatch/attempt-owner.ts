import type { Duplex } from 'node:stream'
import type { BanMatch } from '../bans/ban-rule.ts'
import type { BodyTest } from '../bans/body-test.ts'
import type { Attempt } from './attempt.ts'
import type { Deadlines } from './deadlines.ts'
import type { DispatchController, ResponseHeaders } from './handlers.ts'
import type { ResponseHead } from './held-response.ts'

/** What an attempt needs of the request that it belongs to. */
export interface AttemptOwner {
  readonly deadlines: Deadlines
  readonly isPaused: boolean
  readonly isAborted: boolean
  readonly abortReason: Error
  /** 0: no limit. */
  readonly firstByteTimeoutMs: number
  /** Longest silence in a response body that the caller reads. 0: no limit. */
  readonly bodyTimeoutMs: number
  /** Where its connection breaks before a byte of the answer has come, it may be sent again. */
  readonly mayBeSentAgain: boolean
  /** Length of the request body; 0 where nobody knows it before its end. */
  readonly bodyBytes: number
  now(): number
  /**
   * Judges a response head: `deliver` it, or give it up because the request goes on to another device,
   * or hold it back until the beginning of its body has passed this test.
   */
  onHead(attempt: Attempt, statusCode: number, headers: ResponseHeaders): 'deliver' | 'give_up' | BodyTest
  /** Judges a response that was held back. Null: its body fits no rule. */
  onTested(attempt: Attempt, match: BanMatch | null, head: ResponseHead): 'deliver' | 'give_up'
  /** A connection is being made for it. */
  onConnecting(attempt: Attempt): void
  /** It has its connection, and the request line is about to be written. */
  onConnected(attempt: Attempt): void
  /** The response was given up: time for the next attempt. */
  onGivenUp(): void
  /** The response is the caller's from now on. */
  onDelivery(attempt: Attempt, controller: DispatchController, statusCode: number, headers: ResponseHeaders, statusMessage?: string): void
  onUpgrade(attempt: Attempt, controller: DispatchController, statusCode: number, headers: ResponseHeaders, socket: Duplex): void
  onInformation(controller: DispatchController, statusCode: number, headers: ResponseHeaders, statusMessage?: string): void
  onData(chunk: Buffer): void
  onEnd(attempt: Attempt, controller: DispatchController, trailers: ResponseHeaders): void
  /** The attempt failed before the request was over. `match`: what came of its body before that fits a rule. */
  onFailure(attempt: Attempt, error: Error, match: BanMatch | null): void
  onResponseStarted(): void
  onBodySent(chunk: Buffer): void
  onRequestSent(): void
  /** The device is free again. */
  onRelease(attempt: Attempt): void
}
