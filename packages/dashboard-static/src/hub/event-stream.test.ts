import { afterEach, describe, expect, it, vi } from 'vitest'
import { readEventStream } from './event-stream.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A stream that a test feeds; `canceled` tells that the reader has let go of it. */
function fedStream() {
  let feed: ReadableStreamDefaultController<Uint8Array> | undefined
  const canceled = vi.fn()
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      feed = controller
    },
    cancel: canceled,
  })
  return {
    body,
    canceled,
    send: (text: string) => feed?.enqueue(bytes(text)),
    end: () => feed?.close(),
    fail: () => feed?.error(new TypeError('network')),
  }
}

/** Nobody aborts. */
const never = new AbortController().signal

const listener = () => ({ heard: vi.fn(), event: vi.fn(() => true), retry: vi.fn() })

afterEach(() => vi.useRealTimers())

describe('reading an event stream', () => {
  it('tells each event with name, id and data, however the bytes are cut', async () => {
    const { body, send, end } = fedStream()
    const told = listener()
    const reading = readEventStream(body, told, never)
    for (const piece of 'retry: 1200\nid: 7\nevent: device\ndata: {"name":\ndata: "서울"}\n\n: alive\n\n') send(piece)
    end()
    await reading
    expect(told.event.mock.calls).toEqual([[{ id: '7', event: 'device', data: '{"name":\n"서울"}' }]])
    expect(told.retry).toHaveBeenCalledWith(1200)
  })

  it('ends like any other when the network breaks', async () => {
    const { body, send, fail } = fedStream()
    const reading = readEventStream(body, listener(), never)
    send('data: 1\n\n')
    fail()
    await expect(reading).resolves.toBeUndefined()
  })

  it('tells no more once its listener has had enough, and closes the stream', async () => {
    const { body, send, canceled } = fedStream()
    const told = { ...listener(), event: vi.fn(() => false) }
    const reading = readEventStream(body, told, never)
    send('event: reset\ndata: {}\n\nevent: device\ndata: {}\n\n')
    await reading
    expect(told.event).toHaveBeenCalledTimes(1)
    expect(canceled).toHaveBeenCalled()
  })

  it('gives up a stream that falls silent; a comment is a sign of life', async () => {
    vi.useFakeTimers()
    const { body, send, canceled } = fedStream()
    let isOver = false
    const reading = readEventStream(body, listener(), never).then(() => {
      isOver = true
    })
    await vi.advanceTimersByTimeAsync(39_000)
    send(': alive\n\n')
    await vi.advanceTimersByTimeAsync(39_000)
    expect(isOver).toBe(false)
    await vi.advanceTimersByTimeAsync(1_000)
    await reading
    expect(canceled).toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends when it is told to', async () => {
    const { body, canceled } = fedStream()
    const told = new AbortController()
    const reading = readEventStream(body, listener(), told.signal)
    told.abort()
    await reading
    expect(canceled).toHaveBeenCalled()
  })

  it('gives up an event that never ends', async () => {
    const { body, send, canceled } = fedStream()
    const reading = readEventStream(body, listener(), never)
    for (let n = 0; n < 50; n += 1) send(`data: ${'x'.repeat(100_000)}\n`)
    await reading
    expect(canceled).toHaveBeenCalled()
  })
})
