import { createParser } from 'eventsource-parser'
import { type HubEvent, type HubEventName, hubEvents } from '../../contract/index.ts'
import { MobilePoolError } from '../../errors.ts'

/** An event of the hub, with the place in the stream that it marks. */
export interface StreamedEvent {
  readonly id: string | undefined
  /** Undefined for an event that this version does not know: only its place counts. */
  readonly event: HubEvent | undefined
}

/** Longest event: one device, or a second's heartbeats of 10,000 devices (about 1 MB). */
const MAX_EVENT_BYTES = 8 * 1024 * 1024

/** Reads the hub's stream of server-sent events. Throws when one does not keep to the contract. */
export async function* readEvents(text: AsyncIterable<string>): AsyncGenerator<StreamedEvent> {
  const arrived: StreamedEvent[] = []
  let failure: Error | null = null
  const parser = createParser({
    maxBufferSize: MAX_EVENT_BYTES,
    onEvent({ id, event, data }) {
      try {
        arrived.push({ id, event: parseEvent(event, data) })
      } catch (error) {
        failure ??= error instanceof Error ? error : new Error(String(error))
      }
    },
    onError(error) {
      if (error.type !== 'max-buffer-size-exceeded') return
      failure ??= new MobilePoolError('MP_HUB_PROTOCOL', `the hub sent an event longer than ${MAX_EVENT_BYTES} bytes`, {
        phase: 'hub',
        cause: error,
      })
    },
  })
  for await (const part of text) {
    parser.feed(part)
    yield* arrived.splice(0)
    if (failure !== null) throw failure
  }
}

function parseEvent(name: string | undefined, data: string): HubEvent | undefined {
  if (name === undefined || !Object.hasOwn(hubEvents, name)) return undefined
  const known = name as HubEventName
  let json: unknown
  try {
    json = JSON.parse(data)
  } catch (cause) {
    throw new MobilePoolError('MP_HUB_PROTOCOL', `the hub sent a "${name}" event that is not JSON`, { phase: 'hub', cause })
  }
  const parsed = hubEvents[known].safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new MobilePoolError(
      'MP_HUB_PROTOCOL',
      `the hub sent a "${name}" event that its contract does not allow (${issue?.path.join('.')}: ${issue?.message})`,
      { phase: 'hub' },
    )
  }
  return { name: known, data: parsed.data } as HubEvent
}
