import { channel } from 'node:diagnostics_channel'
import type { AttemptReport } from '../errors.ts'
import type { PoolEvents } from '../events.ts'

/** One attempt that is over, with the request it belongs to. Never holds a path, a header or credentials. */
export interface AttemptRecord extends AttemptReport {
  /** Registrable domain of the target. */
  readonly site: string
  /** Host name of the target. */
  readonly host: string
  /** HTTP method of the request; `CONNECT` where only a connection was asked for. */
  readonly method: string
  /** 1 for the first attempt of its request. */
  readonly attempt: number
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** Bytes of the response body that came, on the wire. */
  readonly bytesIn: number
  /** Bytes of the request body, when it began to be sent; 0 for a stream of unknown length. */
  readonly bytesOut: number
  /** Key of its request's sticky session, as the caller gave it; null: it had none. */
  readonly session: string | null
}

/** One request that is over. */
export interface RequestRecord {
  /** Registrable domain of the target. */
  readonly site: string
  /** Host name of the target. */
  readonly host: string
  /** HTTP method; `CONNECT` where only a connection was asked for. */
  readonly method: string
  /** How it ended for the caller. */
  readonly outcome: 'answered' | 'failed' | 'aborted'
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** With waiting, all attempts and the body. */
  readonly durationMs: number
  /** All attempts, in order; empty when no device was had. */
  readonly attempts: readonly AttemptReport[]
}

/**
 * What subscribers of Node's `diagnostics_channel` get. `pool` is the pool that it is about. Without subscribers none of it is made.
 *
 * | channel | published | payload |
 * |---|---|---|
 * | `mobilepool:request` | when a request is over | `RequestRecord` |
 * | `mobilepool:attempt` | for each attempt, when its request is over | `AttemptRecord` |
 * | `mobilepool:retry` | when a request goes on to another device | as the event `retry` |
 * | `mobilepool:ban` | at a ban answer | as the event `ban` |
 * | `mobilepool:rotate` | when a rotation is over | as the event `rotationEnd` |
 * | `mobilepool:eject` | when a device is taken out | as the event `eject` |
 */
export interface ChannelMessages {
  /** A request is over. */
  'mobilepool:request': RequestRecord & { readonly pool: object }
  /** An attempt, when its request is over. */
  'mobilepool:attempt': AttemptRecord & { readonly pool: object }
  /** A request goes on to another device. */
  'mobilepool:retry': PoolEvents['retry'][0] & { readonly pool: object }
  /** An answer, or a report, was a ban. */
  'mobilepool:ban': PoolEvents['ban'][0] & { readonly pool: object }
  /** A rotation is over. */
  'mobilepool:rotate': PoolEvents['rotationEnd'][0] & { readonly pool: object }
  /** A device is taken out. */
  'mobilepool:eject': PoolEvents['eject'][0] & { readonly pool: object }
}

export const requestChannel = channel('mobilepool:request')
export const attemptChannel = channel('mobilepool:attempt')

/** The events that are published as they are. */
const eventChannels = {
  retry: channel('mobilepool:retry'),
  ban: channel('mobilepool:ban'),
  rotationEnd: channel('mobilepool:rotate'),
  eject: channel('mobilepool:eject'),
} as const

/** Publishes an event of a pool, where somebody listens. */
export function publishEvent(pool: object, name: string, event: unknown): void {
  if (!(name in eventChannels)) return
  const target = eventChannels[name as keyof typeof eventChannels]
  if (target.hasSubscribers) target.publish({ pool, ...(event as object) })
}
