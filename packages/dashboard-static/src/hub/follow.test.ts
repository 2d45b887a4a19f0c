import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { HubClient, HubProblem } from './client.ts'
import { followHub, type Link } from './follow.ts'

type StatusAnswer = Awaited<ReturnType<HubClient['status']>>
type EventsAnswer = Awaited<ReturnType<HubClient['events']>>

const snapshotAt = (position: string): StatusAnswer => ({ ok: true, value: { position } })
const failing = (problem: HubProblem) => ({ ok: false, problem }) as const
const unreachable = failing({ kind: 'unreachable' })

/** A stream that has sent this and stays open until `end` or until the reader leaves. */
function stream(text: string): { answer: EventsAnswer; end: () => void; left: () => boolean } {
  let feed: ReadableStreamDefaultController<Uint8Array> | undefined
  let isLeft = false
  const value = new ReadableStream<Uint8Array>({
    start: (controller) => {
      feed = controller
      controller.enqueue(new TextEncoder().encode(text))
    },
    cancel: () => {
      isLeft = true
    },
  })
  return { answer: { ok: true, value }, end: () => feed?.close(), left: () => isLeft }
}

/** Follows a hub that answers as scripted, one answer a question, and records what happens. */
function follow({ statuses, streams }: { statuses: StatusAnswer[]; streams: EventsAnswer[] }) {
  const asked: string[] = []
  const links: Link[] = []
  const events: string[] = []
  const client: Pick<HubClient, 'status' | 'events'> = {
    status: async () => {
      asked.push('status')
      return statuses.shift() ?? unreachable
    },
    events: async (lastEventId) => {
      asked.push(`events after ${lastEventId}`)
      return streams.shift() ?? unreachable
    },
  }
  const followed = followHub(
    {
      link: (link) => links.push(link),
      heard: () => undefined,
      snapshot: (json) => (json as { position: string | null }).position,
      event: ({ data }) => events.push(data),
    },
    { client, random: () => 1, now: () => Date.now() },
  )
  return { followed, asked, links, events, phases: () => links.map(({ phase }) => phase) }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)

describe('following a hub', () => {
  it('takes a snapshot, then the events from where it ends', async () => {
    const { followed, asked, events, phases } = follow({ statuses: [snapshotAt('5')], streams: [stream('id: 6\ndata: a\n\n').answer] })
    await settle()
    expect(asked).toEqual(['status', 'events after 5'])
    expect(events).toEqual(['a'])
    expect(phases()).toEqual(['connecting', 'live'])
    await followed.stop()
  })

  it('resumes a cut stream from the last event, without a new snapshot', async () => {
    const cut = stream('id: 6\ndata: a\n\n')
    const { followed, asked, phases } = follow({ statuses: [snapshotAt('5')], streams: [cut.answer, stream('').answer] })
    await settle()
    cut.end()
    await settle()
    expect(phases().at(-1)).toBe('reconnecting')
    await vi.advanceTimersByTimeAsync(499)
    expect(asked).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(asked).toEqual(['status', 'events after 5', 'events after 6'])
    expect(phases().at(-1)).toBe('live')
    await followed.stop()
  })

  it('waits longer each time while the hub is gone, and from the start again after a sound stream', async () => {
    const sound = stream('id: 6\ndata: a\n\n')
    const { followed, asked, links } = follow({ statuses: [snapshotAt('5')], streams: [unreachable, unreachable, sound.answer] })
    await settle()
    await vi.advanceTimersByTimeAsync(500)
    await vi.advanceTimersByTimeAsync(999)
    expect(asked).toHaveLength(3)
    await vi.advanceTimersByTimeAsync(1)
    expect(links.at(-1)).toEqual({ phase: 'live' })
    sound.end()
    await vi.advanceTimersByTimeAsync(500)
    expect(asked).toHaveLength(5)
    await followed.stop()
  })

  it('answers `reset` with a new snapshot at once, also right after an outage', async () => {
    const afterOutage = stream('event: reset\ndata: {}\n\n')
    const { followed, asked, phases } = follow({
      statuses: [snapshotAt('old-5'), snapshotAt('new-1')],
      streams: [unreachable, unreachable, unreachable, afterOutage.answer, stream('').answer],
    })
    await vi.advanceTimersByTimeAsync(3_500)
    expect(asked.slice(-3)).toEqual(['events after old-5', 'status', 'events after new-1'])
    expect(phases().slice(-3)).toEqual(['reconnecting', 'live', 'live'])
    expect(afterOutage.left()).toBe(true)
    await followed.stop()
  })

  it('is not made to hammer a hub that sends nothing but `reset`', async () => {
    const statuses = Array.from({ length: 50 }, () => snapshotAt('1'))
    const streams = Array.from({ length: 50 }, () => stream('event: reset\ndata: {}\n\n').answer)
    const { followed, asked } = follow({ statuses, streams })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked.filter((what) => what === 'status').length).toBeLessThan(12)
    await followed.stop()
  })

  it('polls snapshots where the stream is refused', async () => {
    const refusal = failing({ kind: 'refused', status: 404, detail: null, retryAfterMs: 0 })
    const { followed, asked } = follow({ statuses: [snapshotAt('1'), snapshotAt('2')], streams: [refusal, refusal] })
    await vi.advanceTimersByTimeAsync(500)
    expect(asked).toEqual(['status', 'events after 1', 'status', 'events after 2'])
    await followed.stop()
  })

  it('waits as long as a hub that refuses asks for', async () => {
    const refusal = failing({ kind: 'refused', status: 503, detail: null, retryAfterMs: 20_000 })
    const { followed, asked } = follow({ statuses: [refusal, snapshotAt('1')], streams: [stream('').answer] })
    await vi.advanceTimersByTimeAsync(19_999)
    expect(asked).toEqual(['status'])
    await vi.advanceTimersByTimeAsync(251)
    expect(asked).toEqual(['status', 'status', 'events after 1'])
    await followed.stop()
  })

  it('asks nothing more while a key is needed, until somebody starts it over', async () => {
    const needed = failing({ kind: 'key_needed', keyGiven: false })
    const { followed, asked, links } = follow({ statuses: [needed, snapshotAt('1')], streams: [stream('').answer] })
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(asked).toEqual(['status'])
    expect(links.at(-1)).toEqual({ phase: 'key_needed', keyGiven: false })
    followed.startOver()
    await settle()
    expect(links.at(-1)).toEqual({ phase: 'live' })
    await followed.stop()
  })

  it('leaves the stream of the old key when it starts over', async () => {
    const old = stream('id: 6\ndata: a\n\n')
    const { followed, asked } = follow({ statuses: [snapshotAt('1'), snapshotAt('2')], streams: [old.answer, stream('').answer] })
    await settle()
    followed.startOver()
    await settle()
    expect(old.left()).toBe(true)
    expect(asked).toEqual(['status', 'events after 1', 'status', 'events after 2'])
    await followed.stop()
  })

  it('tries at once when told to', async () => {
    const { followed, asked } = follow({ statuses: [unreachable, unreachable, unreachable, snapshotAt('1')], streams: [stream('').answer] })
    await vi.advanceTimersByTimeAsync(1_500)
    expect(asked).toHaveLength(3)
    followed.tryNow()
    await settle()
    expect(asked).toEqual(['status', 'status', 'status', 'status', 'events after 1'])
    await followed.stop()
  })

  it('does not resume from an event id that could not stand in a header', async () => {
    const cut = stream('id: a\u2028b\ndata: a\n\n')
    const { followed, asked } = follow({ statuses: [snapshotAt('5')], streams: [cut.answer, stream('').answer] })
    await settle()
    cut.end()
    await vi.advanceTimersByTimeAsync(500)
    expect(asked.at(-1)).toBe('events after 5')
    await followed.stop()
  })

  it('says so when what answers is no hub', async () => {
    const { followed, links } = follow({ statuses: [{ ok: true, value: { position: null } }], streams: [] })
    await settle()
    expect(links.at(-1)).toEqual({ phase: 'reconnecting', problem: { kind: 'not_a_hub' } })
    await followed.stop()
  })
})
