import type { z } from 'zod'
import type { Dial } from '../../outbound/dialer.ts'
import type { Send } from '../../outbound/outbound.ts'
import type { AlertMessage } from '../../store/index.ts'

/** What became of an attempt. `answer`: what the far end said, for people, never a secret. */
export type SendResult =
  /** The far end acknowledged. `address`: it moved, go there from now on. */
  | { outcome: 'sent'; answer: string; address?: unknown }
  /** Another attempt may succeed, not before `afterMs` where the far end said so. */
  | { outcome: 'retry'; answer: string; afterMs?: number }
  /** This message will never be taken. */
  | { outcome: 'refused'; answer: string }
  /** Nothing will be taken any more until somebody puts it right: the channel is disabled. */
  | { outcome: 'gone'; answer: string }

/** What sending takes. */
export interface ChannelTools {
  send: Send
  dial: Dial
  now: () => number
  signal: AbortSignal
}

/** A message on its way. */
export interface Notice extends AlertMessage {
  /** Names it for this channel: the same on each attempt. */
  id: string
}

/** One kind of far end: all that tells it from the others. Add one as docs/hub.md says. */
export interface ChannelKind<Address> {
  /** What it takes to reach it. */
  address: z.ZodType<Address>
  /** Least time between two messages, ms, of the far end's own limits; what comes meanwhile becomes one message. */
  spacingMs: number
  /** What of the address may be shown. */
  target: (address: Address) => string
  /** Sends some messages as one. Never throws; at most 20 s. */
  deliver: (address: Address, notices: readonly Notice[], tools: ChannelTools) => Promise<SendResult>
}

/** An attempt may take so long, ms. */
export const ATTEMPT_TIMEOUT_MS = 15_000

/** A `Retry-After` in seconds, as ms; a date is not worth reading here. */
export function retryAfter(headers: Readonly<Record<string, string | undefined>>): { afterMs?: number } {
  const seconds = Number(headers['retry-after'])
  return Number.isFinite(seconds) && seconds > 0 ? { afterMs: seconds * 1_000 } : {}
}

/** What an answer says, on one line and short. */
export const quote = (status: number, text: string): string => `${status} ${text.replace(/\s+/g, ' ').trim()}`.trim().slice(0, 300)
