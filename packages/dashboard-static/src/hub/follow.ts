import type { EventSourceMessage } from 'eventsource-parser'
import { backOffMs } from './back-off.ts'
import type { HubClient, HubProblem } from './client.ts'
import { readEventStream, type StreamListener } from './event-stream.ts'

/** How the page stands with the hub. */
export type Link =
  /** The first attempt is under way. */
  | { readonly phase: 'connecting' }
  /** Events arrive. */
  | { readonly phase: 'live' }
  /** Cut off; tried again by itself. `problem` is null after a stream that merely ended. */
  | { readonly phase: 'reconnecting'; readonly problem: HubProblem | null }
  /** Nothing happens until somebody gives a key. */
  | { readonly phase: 'key_needed'; readonly keyGiven: boolean }

/** Where the news goes. */
export interface Follower {
  link: (link: Link) => void
  /** Something arrived from the hub. */
  heard: () => void
  /**
   * The whole of `GET /status`, unchecked, and how long ago it was asked for, ms. Returns where the events continue (`last_event_id`),
   * or null when this is no hub's answer.
   */
  snapshot: (json: unknown, askedForMs: number) => string | null
  /** One event, unchecked. `reset` is not told: a new snapshot follows instead. */
  event: (event: EventSourceMessage) => void
}

/** What following needs from outside. */
export interface FollowDeps {
  readonly client: Pick<HubClient, 'status' | 'events'>
  /** @default Math.random */
  readonly random?: () => number
  /** ms of any monotonic clock. @default performance.now */
  readonly now?: () => number
}

/** A followed hub. */
export interface Followed {
  /** Ends the wait that is under way, if any: the network is back, a key was given, somebody pressed "try now". */
  tryNow: () => void
  /** Lets go of what is known and starts over with a snapshot: another key, other rights. */
  startOver: () => void
  /** Ends it; resolves when the last request is closed. */
  stop: () => Promise<void>
}

/** A stream that lasted so long was sound, ms: the waits begin anew from the shortest. */
const SOUND_AFTER_MS = 10_000

/** What can stand in a header; anything else in an event id would make every further request fail. */
const SENDABLE = /^[\x20-\x7e]{0,200}$/

/**
 * Follows a hub for as long as the page is open: snapshot, then events from where the snapshot ends; after a cut, events from the last one
 * seen; after `reset` or a refusal, a snapshot again. Waits between attempts grow and are jittered.
 */
export function followHub(follower: Follower, { client, random = Math.random, now = () => performance.now() }: FollowDeps): Followed {
  const stopped = new AbortController()
  let round = new AbortController()
  let wake = (): void => undefined
  let lastEventId: string | null = null
  let attempt = 0
  let resetsInARow = 0
  let askedRetryMs = 0

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(() => wake(), ms)
      wake = () => {
        clearTimeout(timer)
        wake = () => undefined
        resolve()
      }
      if (stopped.signal.aborted || round.signal.aborted) wake()
    })

  async function backOff(problem: HubProblem | null): Promise<void> {
    if (round.signal.aborted) return
    if (problem?.kind === 'key_needed') {
      lastEventId = null
      follower.link({ phase: 'key_needed', keyGiven: problem.keyGiven })
      return pause(Number.POSITIVE_INFINITY)
    }
    follower.link({ phase: 'reconnecting', problem })
    const notBeforeMs = problem?.kind === 'refused' ? problem.retryAfterMs : askedRetryMs
    return pause(backOffMs(attempt++, random, notBeforeMs))
  }

  async function takeSnapshot(): Promise<HubProblem | null> {
    const askedAt = now()
    const answer = await client.status(round.signal)
    if (round.signal.aborted) return null
    if (!answer.ok) return answer.problem
    const position = follower.snapshot(answer.value, now() - askedAt)
    if (position === null) return { kind: 'not_a_hub' }
    follower.heard()
    lastEventId = SENDABLE.test(position) ? position : ''
    return null
  }

  /** One stream from its opening to its end. */
  async function takeEvents(from: string): Promise<HubProblem | null> {
    const answer = await client.events(from, round.signal)
    if (round.signal.aborted) {
      if (answer.ok) await answer.value.cancel().catch(() => undefined)
      return null
    }
    if (!answer.ok) {
      // It may be the position that is refused.
      if (answer.problem.kind !== 'unreachable') lastEventId = null
      return answer.problem
    }
    follower.link({ phase: 'live' })
    follower.heard()
    const openedAt = now()
    const listener: StreamListener = {
      heard: follower.heard,
      retry: (ms) => {
        askedRetryMs = ms
      },
      event: (event) => {
        if (event.event === 'reset') {
          lastEventId = null
          return false
        }
        attempt = 0
        resetsInARow = 0
        if (event.id !== undefined && SENDABLE.test(event.id)) lastEventId = event.id
        follower.event(event)
        return true
      },
    }
    await readEventStream(answer.value, listener, round.signal)
    if (now() - openedAt > SOUND_AFTER_MS) attempt = 0
    return null
  }

  async function follow(): Promise<void> {
    follower.link({ phase: 'connecting' })
    while (!stopped.signal.aborted) {
      if (round.signal.aborted) round = new AbortController()
      if (lastEventId === null) {
        const problem = await takeSnapshot()
        if (problem) await backOff(problem)
        if (problem || lastEventId === null) continue
      }
      const problem = await takeEvents(lastEventId)
      // The first `reset` is answered at once; a hub that sends nothing else is not to be hammered.
      if (problem === null && lastEventId === null && resetsInARow++ === 0) continue
      await backOff(problem)
    }
  }

  const ended = follow()
  return {
    tryNow: () => wake(),
    startOver: () => {
      lastEventId = null
      attempt = 0
      round.abort()
      wake()
    },
    stop: async () => {
      stopped.abort()
      round.abort()
      wake()
      await ended
    },
  }
}
