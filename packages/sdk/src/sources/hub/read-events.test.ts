import { expect, test } from 'vitest'
import { readEvents, type StreamedEvent } from './read-events.ts'

async function* parts(...texts: string[]): AsyncGenerator<string> {
  yield* texts
}

const readAll = async (...texts: string[]): Promise<StreamedEvent[]> => {
  const events: StreamedEvent[] = []
  for await (const event of readEvents(parts(...texts))) events.push(event)
  return events
}

const id = 'a3bb189e-8bf9-4888-9912-ace4e6543002'

test('events come whole, however the stream was cut', async () => {
  const text = `: hi\n\nid: 7\nevent: device_removed\ndata: {"id":"${id}","name":"seoul-01"}\n\nevent: reset\ndata: {}\n\n`
  for (const size of [1, 3, 50, 1_000]) {
    const pieces = text.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? []
    expect(await readAll(...pieces)).toEqual([
      { id: '7', event: { name: 'device_removed', data: { id, name: 'seoul-01' } } },
      { id: undefined, event: { name: 'reset', data: {} } },
    ])
  }
})

test('an event that this version does not know counts only as a place in the stream', async () => {
  expect(await readAll('id: 9\nevent: toString\ndata: x\n\n')).toEqual([{ id: '9', event: undefined }])
})

test.each([
  ['event: device_removed\ndata: {"id":"x","name":"seoul-01"}\n\n', /"device_removed" event that its contract does not allow \(id: /],
  ['event: device\ndata: {oops\n\n', /"device" event that is not JSON/],
  [`data: ${'x'.repeat(9 * 1024 * 1024)}`, /longer than/],
])('what breaks the contract is an error', async (text, message) => {
  await expect(readAll(text)).rejects.toMatchObject({ code: 'MP_HUB_PROTOCOL', message: expect.stringMatching(message) })
})
