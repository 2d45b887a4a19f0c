import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommandReportJson, RotationState } from '@mobilepool/sdk/contract'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBackOff } from '../back-off.ts'
import { systemClock } from '../clock.ts'
import { AgentError } from '../errors.ts'
import type { Order } from '../hub/hub-client.ts'
import type { RotationResult } from '../rotation/result.ts'
import { PrivateDir } from '../state/private-dir.ts'
import { CommandLoop } from './command-loop.ts'
import { CommandJournal } from './journal.ts'

const ids = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'] as const
const order = (id: string): Order => ({ id, type: 'rotate', method: null, drainMs: 0, deadlineAt: Date.now() + 60_000 })
const changed: RotationResult = { state: 'changed', method: 'airplane_mode', oldIp: '127.10.1.1', newIp: '127.10.1.2', detail: null }

const silent = pino({ level: 'silent' })
let path: string
let dir: PrivateDir
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'mp-commands-'))
  dir = await PrivateDir.open(path)
})
afterEach(() => rm(path, { recursive: true, force: true }))

/** A loop against a scripted hub. It stops when the script of polls is over. */
const runLoop = async (script: {
  polls: (Order[] | Error)[]
  report?: (id: string, report: CommandReportJson) => Promise<RotationState | null>
  execute?: (order: Order) => Promise<RotationResult>
}) => {
  const journal = await CommandJournal.open(dir, silent)
  const stop = new AbortController()
  const executed: string[] = []
  const reported: string[] = []
  const unauthorized: string[] = []
  const polls = [...script.polls]
  const loop = new CommandLoop({
    clock: systemClock,
    log: pino({ level: 'silent' }),
    journal,
    backOff: createBackOff(1, 2, () => 0.5),
    hub: {
      orders: async () => {
        const next = polls.shift()
        if (next === undefined) {
          stop.abort()
          throw stop.signal.reason
        }
        if (next instanceof Error) throw next
        return next
      },
      report: async (id, report) => {
        reported.push(`${id[0]} ${report.state}`)
        return script.report ? script.report(id, report) : 'changed'
      },
    },
    execute: async (taken) => {
      executed.push(taken.id[0] ?? '')
      return script.execute ? script.execute(taken) : changed
    },
    onUnauthorized: (error) => unauthorized.push(error.message),
  })
  await loop.run(stop.signal)
  return { journal, executed, reported, unauthorized, loop }
}

describe('orders', () => {
  test('are executed, and their results reported', async () => {
    const { executed, reported, journal } = await runLoop({ polls: [[order(ids[0])], [order(ids[1])], []] })
    expect({ executed, reported }).toEqual({ executed: ['1', '2'], reported: ['1 changed', '2 changed'] })
    expect(journal.unacknowledged()).toEqual([])
  })

  test('given again are answered with the known result, never executed twice', async () => {
    const { executed, reported } = await runLoop({ polls: [[order(ids[0])], [order(ids[0])], [order(ids[0])], []] })
    expect({ executed, reported }).toEqual({ executed: ['1'], reported: ['1 changed', '1 changed', '1 changed'] })
  })

  test('given again after a restart are answered with the known result, too', async () => {
    await runLoop({ polls: [[order(ids[0])]], report: () => Promise.reject(new AgentError('hub_unreachable', 'down')) })
    const { executed, reported } = await runLoop({ polls: [[order(ids[0])], []] })
    expect(executed).toEqual([])
    expect(reported).toEqual(['1 changed', '1 changed'])
  })

  test('are noted before anything of them is done', async () => {
    let known: unknown
    await runLoop({
      polls: [[order(ids[0])]],
      execute: async () => {
        known = (await CommandJournal.open(dir, silent)).interrupted()
        return changed
      },
    })
    expect(known).toMatchObject({ id: ids[0], report: null })
  })

  test('wait while the hub cannot be reached', async () => {
    const { executed } = await runLoop({
      polls: [new AgentError('hub_unreachable', 'down'), new AgentError('hub_unreachable', 'down'), [order(ids[0])]],
    })
    expect(executed).toEqual(['1'])
  })

  test('of a hub that does not know the device are not asked for without saying so', async () => {
    const { unauthorized } = await runLoop({ polls: [new AgentError('hub_unauthorized', 'who are you')] })
    expect(unauthorized).toEqual(['who are you'])
  })
})

describe('a result', () => {
  test('is repeated until the hub has it', async () => {
    let failures = 3
    const { reported, journal } = await runLoop({
      polls: [[order(ids[0])], [], [], []],
      report: async () => {
        failures -= 1
        if (failures >= 0) throw new AgentError('hub_unreachable', 'down')
        return 'changed'
      },
    })
    expect(reported).toEqual(['1 changed', '1 changed', '1 changed', '1 changed'])
    expect(journal.unacknowledged()).toEqual([])
  })

  test('survives the agent', async () => {
    await runLoop({ polls: [[order(ids[0])]], report: () => Promise.reject(new AgentError('hub_unreachable', 'down')) })
    expect((await CommandJournal.open(dir, silent)).unacknowledged()).toMatchObject([
      { id: ids[0], report: { state: 'changed', new_ip: '127.10.1.2' } },
    ])
    const { reported } = await runLoop({ polls: [[]] })
    expect(reported).toEqual(['1 changed'])
  })

  test.each([
    ['does not know', () => Promise.resolve(null)],
    ['finds wrong', () => Promise.reject(new AgentError('hub_refused', '400'))],
  ])('that the hub %s is not repeated for ever', async (_, report) => {
    const { reported } = await runLoop({ polls: [[order(ids[0])], [], []], report })
    expect(reported).toEqual(['1 changed'])
  })
})

const idOf = (index: number): string => `11111111-1111-4111-8111-${String(index).padStart(12, '0')}`
const report: CommandReportJson = { state: 'changed', method: null, old_ip: null, new_ip: null, reason: null, detail: null }

test('the journal keeps the last fifty orders that the hub knows the end of, and every result that it has not got', async () => {
  const journal = await CommandJournal.open(dir, silent)
  for (let index = 0; index < 70; index += 1) {
    await journal.begin(idOf(index))
    // The hub was away for the first five.
    await journal.update(idOf(index), { report, isAcknowledged: index >= 5 })
  }
  const reopened = await CommandJournal.open(dir, silent)
  expect(reopened.unacknowledged().map(({ id }) => id)).toEqual([0, 1, 2, 3, 4].map(idOf))
  expect(reopened.find(idOf(24))).toBeNull()
  expect(reopened.find(idOf(25))).not.toBeNull()
})

test('results that the hub never takes do not pile up for ever', async () => {
  const journal = await CommandJournal.open(dir, silent)
  for (let index = 0; index < 120; index += 1) {
    await journal.begin(idOf(index))
    await journal.update(idOf(index), { report })
  }
  expect(journal.unacknowledged()).toHaveLength(100)
})

test('while the disk takes nothing, orders are executed and results delivered from memory, and the log says so once', async () => {
  const warned: unknown[] = []
  const told: string[] = []
  const log = { warn: (...line: unknown[]) => warned.push(line), info: (line: unknown) => told.push(String(line)) } as never
  const journal = await CommandJournal.open(dir, log)
  await rm(path, { recursive: true })
  await writeFile(path, 'no folder any more')
  await journal.begin(idOf(1))
  await journal.update(idOf(1), { report })
  expect(journal.unacknowledged().map(({ id }) => id)).toEqual([idOf(1)])
  expect(warned).toHaveLength(1)
  await rm(path)
  await mkdir(path)
  await journal.update(idOf(1), { isAcknowledged: true })
  expect(told).toEqual(['orders and results are written to the disk again'])
  expect((await CommandJournal.open(dir, silent)).find(idOf(1))).toMatchObject({ isAcknowledged: true })
})
