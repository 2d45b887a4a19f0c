import { createParser, type EventSourceMessage } from 'eventsource-parser'

/** A stream that says nothing for so long is dead, ms: hubs send a comment at least every 15 s. */
const SILENCE_MS = 40_000
/** The longest event that is held, characters. */
const LONGEST_EVENT = 4 * 1024 * 1024

/** What a stream tells while it is open. */
export interface StreamListener {
  /** Something arrived, if only a sign of life. */
  heard: () => void
  /** An event. Returning false ends the reading. */
  event: (event: EventSourceMessage) => boolean
  /** The hub asks for this wait before the next attempt, ms. */
  retry: (ms: number) => void
}

/**
 * Reads server-sent events until the stream ends, breaks, falls silent, the listener has had enough, or `signal` is aborted; then closes it
 * and resolves. Never throws: each of those is the same to the caller, who connects anew.
 */
export async function readEventStream(body: ReadableStream<Uint8Array>, listener: StreamListener, signal: AbortSignal): Promise<void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let enough = false
  const stop = (): void => {
    enough = true
  }
  const parser = createParser({
    maxBufferSize: LONGEST_EVENT,
    onEvent: (event) => {
      if (!enough && !signal.aborted && !listener.event(event)) stop()
    },
    onRetry: listener.retry,
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') stop()
    },
  })
  // The pending read() then ends as if the stream had.
  const leave = (): void => void reader.cancel().catch(stop)
  let timer: ReturnType<typeof setTimeout> | undefined
  const watch = (): void => {
    clearTimeout(timer)
    timer = setTimeout(leave, SILENCE_MS)
  }
  signal.addEventListener('abort', leave)
  try {
    watch()
    if (signal.aborted) leave()
    while (!enough) {
      const { done, value } = await reader.read()
      if (done) break
      watch()
      listener.heard()
      parser.feed(decoder.decode(value, { stream: true }))
    }
  } catch {
    // A broken stream is an ended one.
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', leave)
    await reader.cancel().catch(() => undefined)
  }
}
