import { expect, test } from 'vitest'
import { sampleMessage, T0 } from '../../test/alert-samples.ts'
import { HubError } from '../errors.ts'
import type { AlertMessage, Attempt, Telling } from '../store/index.ts'
import { WithoutDatabase } from './without-database.ts'

const MIN = 60_000

/** An outage's alert to two channels; `takes` says of each channel's attempts whether they go through. */
function scene(takes: Record<string, boolean[]>) {
  const message = sampleMessage({ rule: 'database_trouble', subject: { kind: 'hub', id: 'database', name: 'the database' } })
  const telling: Telling = { message, channelIds: Object.keys(takes), at: T0 }
  const state: { now: number; isDatabaseUp: boolean; quietUntil: number | null; first: string } = {
    now: T0,
    isDatabaseUp: false,
    quietUntil: null,
    first: message.alert.id,
  }
  const sent: string[] = []
  const opened: Telling[] = []
  const noted: string[] = []
  const parts = new WithoutDatabase({
    now: () => state.now,
    rules: { heldUntil: (_alert, at) => (state.quietUntil !== null && at < state.quietUntil ? state.quietUntil : null) },
    dispatcher: {
      sendDirectly: async (channelId: string): Promise<Attempt> => {
        sent.push(channelId)
        const isTaken = takes[channelId]?.shift() ?? false
        return { state: isTaken ? 'sent' : 'failed', nextAttemptAt: state.now, answer: isTaken ? 'ok' : 'no' }
      },
    },
    store: {
      alerts: {
        open: async (alert, given) => {
          if (!state.isDatabaseUp) throw new HubError('database_down', 'away')
          opened.push(given)
          return { ...alert, id: state.first }
        },
      },
      alertDeliveries: {
        record: async (_message: AlertMessage, channelId, attempt) => void noted.push(`${channelId} ${attempt.state}`),
      },
    },
  })
  /** A tick, and its attempts' ends. */
  const tick = async (at: number): Promise<void> => {
    state.now = at
    parts.tick()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { parts, telling, state, sent, opened, noted, tick }
}

test('an outage is told at once, once to who takes it and three times a minute apart to who does not', async () => {
  const { parts, telling, sent, tick } = scene({ ops: [true], boss: [false, false, false, true] })
  parts.tell(telling)
  await tick(T0)
  expect(sent).toEqual(['ops', 'boss'])
  await tick(T0 + MIN - 1)
  expect(sent).toHaveLength(2)
  for (const minutes of [1, 2, 3, 4]) await tick(T0 + minutes * MIN)
  expect(sent).toEqual(['ops', 'boss', 'boss', 'boss'])
})

test('the same outage found again is not told again', async () => {
  const { parts, telling, sent, tick } = scene({ ops: [true] })
  for (let n = 0; n < 5; n++) parts.tell(telling)
  await tick(T0 + MIN)
  expect(sent).toEqual(['ops'])
})

test('quiet hours hold it', async () => {
  const { parts, telling, state, sent, tick } = scene({ ops: [true] })
  state.quietUntil = T0 + 10 * MIN
  parts.tell(telling)
  await tick(T0 + 9 * MIN)
  expect(sent).toEqual([])
  await tick(T0 + 10 * MIN)
  expect(sent).toEqual(['ops'])
})

test('when the database is back the alert is written with who was told; the outbox tells the others', async () => {
  const { parts, telling, state, opened, noted, tick } = scene({ ops: [true], boss: [false] })
  parts.tell(telling)
  await tick(T0)
  await parts.writeDown()
  expect(opened).toEqual([])
  state.isDatabaseUp = true
  await parts.writeDown()
  expect(opened.map(({ channelIds }) => channelIds)).toEqual([['boss']])
  expect(noted).toEqual(['ops sent'])
  await parts.writeDown()
  expect(opened).toHaveLength(1)
})

test('while an attempt is under way nothing is written: it could be told twice', async () => {
  const { parts, telling, state, opened, tick } = scene({ ops: [true] })
  state.isDatabaseUp = true
  parts.tell(telling)
  await parts.writeDown()
  expect(opened).toEqual([])
  await tick(T0)
  await parts.writeDown()
  expect(opened).toHaveLength(1)
})

test('where another hub was first, nothing is noted: its alert has its own deliveries', async () => {
  const { parts, telling, state, noted, tick } = scene({ ops: [true] })
  Object.assign(state, { isDatabaseUp: true, first: 'of the other hub' })
  parts.tell(telling)
  await tick(T0)
  await parts.writeDown()
  expect(noted).toEqual([])
})
