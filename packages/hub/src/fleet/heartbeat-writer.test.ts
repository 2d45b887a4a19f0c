import pino from 'pino'
import { expect, test, vi } from 'vitest'
import { HubError } from '../errors.ts'
import type { Beat } from '../store/index.ts'
import { HeartbeatWriter } from './heartbeat-writer.ts'

const T0 = Date.parse('2026-11-22T03:00:00.000Z')
const down = new HubError('database_down', 'away')
const badValue = Object.assign(new Error('invalid input syntax for type inet'), { code: '22P02' })

const beat = (name: string, over: Partial<Beat> = {}): Beat => ({
  deviceId: `id-${name}`,
  name,
  isNew: false,
  createdAt: T0,
  seenAt: T0,
  ip: '112.161.54.7',
  ipChanges: 0,
  stints: [],
  ...over,
})

/** A writer over a store whose answers the test gives, group by group. */
function writerOver(answer: (group: readonly Beat[]) => Promise<void>) {
  const groups: Beat[][] = []
  const stored: string[] = []
  const refused: string[] = []
  const write = async (group: readonly Beat[]): Promise<ReadonlyMap<string, string>> => {
    groups.push([...group])
    await answer(group)
    return new Map()
  }
  const writer = new HeartbeatWriter(
    { write },
    { rotationInterval: 600, requestsPerMinute: null },
    { stored: (ids) => stored.push(...ids), refused: (id) => refused.push(id) },
    pino({ level: 'silent' }),
  )
  return { writer, groups, stored, refused }
}

test('beats of one moment are one group, and each is told when it is written', async () => {
  const { writer, groups, stored } = writerOver(async () => {})
  await Promise.all([writer.write(beat('seoul-01')), writer.write(beat('moscow-07')), writer.write(beat('busan-03'))])
  expect(groups.map((group) => group.map(({ name }) => name))).toEqual([['seoul-01', 'moscow-07', 'busan-03']])
  expect(stored).toEqual(['id-seoul-01', 'id-moscow-07', 'id-busan-03'])
  expect(writer.waiting).toBe(0)
})

test('of one device the latest beat is written, with every stretch at an address', async () => {
  const { writer, groups } = writerOver(async () => {})
  const first = { ip: '1.1.1.1', firstSeen: T0, lastSeen: T0 }
  const second = { ip: '2.2.2.2', firstSeen: T0 + 1, lastSeen: T0 + 1 }
  await Promise.all([
    writer.write(beat('seoul-01', { isNew: true, ip: '1.1.1.1', stints: [first] })),
    writer.write(beat('seoul-01', { seenAt: T0 + 1, ip: '2.2.2.2', ipChanges: 1, stints: [{ ...first, lastSeen: T0 + 1 }, second] })),
  ])
  expect(groups).toEqual([
    [beat('seoul-01', { isNew: true, seenAt: T0 + 1, ip: '2.2.2.2', ipChanges: 1, stints: [{ ...first, lastSeen: T0 + 1 }, second] })],
  ])
})

test('while the database is away beats are answered at once, kept one a device, and written when it is back', async () => {
  const back = new AbortController()
  const { writer, groups } = writerOver(() => (back.signal.aborted ? Promise.resolve() : Promise.reject(down)))
  for (let second = 0; second < 50; second++) {
    const written = writer.write(beat('seoul-01', { seenAt: T0 + second * 1_000 }))
    if (second === 0) expect(await written).toBe('kept')
  }
  void writer.write(beat('moscow-07'))
  expect(writer.waiting).toBe(2)
  back.abort()
  await vi.waitFor(() => expect(writer.waiting).toBe(0), { timeout: 5_000 })
  expect(groups.at(-1)?.map(({ name, seenAt }) => [name, seenAt])).toEqual([
    ['seoul-01', T0 + 49_000],
    ['moscow-07', T0],
  ])
})

test('a beat that came while its device’s former one failed is the one that stays', async () => {
  let fail: (error: unknown) => void = () => {}
  let tries = 0
  const { writer, groups } = writerOver(() => (tries++ === 0 ? new Promise((_, reject) => (fail = reject)) : Promise.resolve()))
  const first = writer.write(beat('seoul-01', { isNew: true }))
  await vi.waitFor(() => expect(groups).toHaveLength(1))
  void writer.write(beat('seoul-01', { seenAt: T0 + 1, isNew: true }))
  fail(down)
  await first
  await vi.waitFor(() => expect(writer.waiting).toBe(0), { timeout: 5_000 })
  expect(groups.at(-1)).toEqual([beat('seoul-01', { seenAt: T0 + 1, isNew: true })])
})

test('a group that fails though the database is there is tried again before anybody is told that it is written', async () => {
  const deadlock = Object.assign(new Error('deadlock detected'), { code: '40P01' })
  let tries = 0
  const { writer, stored } = writerOver(() => (tries++ < 2 ? Promise.reject(deadlock) : Promise.resolve()))
  await writer.write(beat('seoul-01'))
  expect({ tries, stored, waiting: writer.waiting }).toEqual({ tries: 3, stored: ['id-seoul-01'], waiting: 0 })
})

test('a group that fails again and again counts as an absent database: it is kept, and nobody waits for it', async () => {
  const mended = new AbortController()
  const { writer, stored } = writerOver(() => (mended.signal.aborted ? Promise.resolve() : Promise.reject(new Error('disk full'))))
  await writer.write(beat('seoul-01'))
  expect({ stored, waiting: writer.waiting }).toEqual({ stored: [], waiting: 1 })
  await writer.write(beat('moscow-07'))
  mended.abort()
  await vi.waitFor(() => expect(new Set(stored)).toEqual(new Set(['id-moscow-07', 'id-seoul-01'])), { timeout: 5_000 })
})

test('a value that the database refuses costs its own beat only, and nobody is told that it is stored', async () => {
  const { writer, groups, stored, refused } = writerOver(async (group) => {
    if (group.some(({ ip }) => ip === 'garbage')) throw badValue
  })
  const fates = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => writer.write(beat(name, name === 'd' ? { ip: 'garbage' } : {}))))
  expect(fates).toEqual(['stored', 'stored', 'stored', 'unwritten', 'stored'])
  expect(new Set(stored)).toEqual(new Set(['id-a', 'id-b', 'id-c', 'id-e']))
  expect(refused).toEqual(['id-d'])
  const written = groups.filter((group) => group.every(({ ip }) => ip !== 'garbage')).flatMap((group) => group.map(({ name }) => name))
  expect(written.toSorted()).toEqual(['a', 'b', 'c', 'e'])
  expect(writer.waiting).toBe(0)
})

test('what a refused beat had to tell goes with the device’s next one', async () => {
  const mended = new AbortController()
  const { writer, groups, stored } = writerOver(async () => {
    if (!mended.signal.aborted) throw badValue
  })
  const stint = { ip: '2.2.2.2', firstSeen: T0, lastSeen: T0 }
  expect(await writer.write(beat('seoul-01', { isNew: true, ip: '2.2.2.2', ipChanges: 1, stints: [stint] }))).toBe('unwritten')
  mended.abort()
  const later = beat('seoul-01', { seenAt: T0 + 60_000, ip: '2.2.2.2', ipChanges: 1 })
  expect(await writer.write(later)).toBe('stored')
  expect(groups.at(-1)).toEqual([{ ...later, isNew: true, stints: [stint] }])
  expect(await writer.write({ ...later, seenAt: T0 + 120_000 })).toBe('stored')
  expect(groups.at(-1)).toEqual([{ ...later, seenAt: T0 + 120_000 }])
  expect(stored).toEqual(['id-seoul-01', 'id-seoul-01'])
})

test('a group has at most five hundred beats', async () => {
  // Time stands still: filling the groups takes a busy machine longer than their window.
  vi.useFakeTimers()
  try {
    const { writer, groups } = writerOver(async () => {})
    const written = Promise.all(Array.from({ length: 1_200 }, (_, index) => writer.write(beat(`d-${index}`))))
    await vi.advanceTimersByTimeAsync(5)
    await written
    expect(groups.map((group) => group.length)).toEqual([500, 500, 200])
  } finally {
    vi.useRealTimers()
  }
})

test('a full group does not wait for the end of its window, nor does a full one behind it', async () => {
  vi.useFakeTimers()
  try {
    const { writer, groups } = writerOver(async () => {})
    const written = Promise.all(Array.from({ length: 1_100 }, (_, index) => writer.write(beat(`d-${index}`))))
    await Promise.resolve()
    expect(groups[0]).toHaveLength(500)
    await vi.advanceTimersByTimeAsync(0)
    expect(groups.map((group) => group.length)).toEqual([500, 500])
    await vi.advanceTimersByTimeAsync(5)
    await written
    expect(groups.map((group) => group.length)).toEqual([500, 500, 100])
  } finally {
    vi.useRealTimers()
  }
})

test('beats that came while another group was written do not wait anew: the write was their window', async () => {
  vi.useFakeTimers()
  try {
    const { writer, groups } = writerOver(() => new Promise((resolve) => setTimeout(resolve, 8)))
    const first = writer.write(beat('first'))
    await vi.advanceTimersByTimeAsync(6)
    const [second, third] = [writer.write(beat('second')), writer.write(beat('third'))]
    await vi.advanceTimersByTimeAsync(7)
    await first
    expect(groups.map((group) => group.length)).toEqual([1, 2])
    await vi.advanceTimersByTimeAsync(8)
    await Promise.all([second, third])
  } finally {
    vi.useRealTimers()
  }
})

test('as many as the last group had do not wait for more; a few do', async () => {
  vi.useFakeTimers()
  try {
    const { writer, groups } = writerOver(async () => {})
    const send = (count: number): Promise<unknown> =>
      Promise.all(Array.from({ length: count }, (_, index) => writer.write(beat(`d-${index}`))))
    const first = send(20)
    await vi.advanceTimersByTimeAsync(5)
    await first
    await send(20)
    expect(groups.map((group) => group.length)).toEqual([20, 20])
    const few = send(3)
    await vi.advanceTimersByTimeAsync(4)
    expect(groups).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(1)
    await few
    expect(groups).toHaveLength(3)
  } finally {
    vi.useRealTimers()
  }
})

test('a full group does not bring forward the retry of one that failed', async () => {
  vi.useFakeTimers()
  try {
    let tries = 0
    const { writer, groups } = writerOver(() => (tries++ === 0 ? Promise.reject(new Error('deadlock')) : Promise.resolve()))
    const first = writer.write(beat('d-first'))
    await vi.advanceTimersByTimeAsync(5)
    const others = Array.from({ length: 600 }, (_, index) => writer.write(beat(`d-${index}`)))
    await vi.advanceTimersByTimeAsync(400)
    expect(groups).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(200)
    await Promise.all([first, ...others])
    expect(groups.map((group) => group.length)).toEqual([1, 500, 101])
  } finally {
    vi.useRealTimers()
  }
})

test('closing writes what waits, and does not hang on a database that is away', async () => {
  const well = writerOver(async () => {})
  void well.writer.write(beat('seoul-01'))
  await well.writer.close()
  expect(well.groups).toHaveLength(1)
  const away = writerOver(() => Promise.reject(down))
  const fate = away.writer.write(beat('seoul-01'))
  await away.writer.close()
  expect(['kept', 'unwritten']).toContain(await fate)
  expect(away.writer.waiting).toBe(1)
})

test('a device that is removed is not written any more', async () => {
  const { writer, groups } = writerOver(async () => {})
  const written = writer.write(beat('omsk-05'))
  writer.forget('id-omsk-05')
  await written
  await writer.write(beat('seoul-01'))
  expect(groups.flat().map(({ name }) => name)).toEqual(['seoul-01'])
})
