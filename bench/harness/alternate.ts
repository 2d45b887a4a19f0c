import { forMs, type Load } from './load.ts'

/** One of the things compared. */
export interface Subject {
  readonly name: string
  readonly load: Load
  /** CPU time that other processes spent for it so far, us. @default none */
  readonly cpuElsewhere?: () => Promise<number>
}

/** What one slice of one subject cost. */
export interface Slice {
  readonly requests: number
  readonly perSecond: number
  /** CPU time of this process and of those that work for the subject, us per request. */
  readonly cpuUs: number
}

/**
 * Lets subjects take turns in short slices, so that whatever else the machine does meets all of them alike. Slice n of one subject
 * is to be compared with slice n of another. `warmUpMs`: how long each runs before.
 */
export async function alternate(
  subjects: readonly Subject[],
  { rounds, sliceMs, warmUpMs = sliceMs }: { rounds: number; sliceMs: number; warmUpMs?: number },
): Promise<Map<string, Slice[]>> {
  const slices = new Map(subjects.map(({ name }): [string, Slice[]] => [name, []]))
  for (const { load } of subjects) await load.run(forMs(warmUpMs))
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const subject = subjects[(round + turn) % subjects.length]
      if (subject !== undefined) slices.get(subject.name)?.push(await slice(subject, sliceMs))
    }
  }
  return slices
}

async function slice({ load, cpuElsewhere }: Subject, sliceMs: number): Promise<Slice> {
  const elsewhere = (await cpuElsewhere?.()) ?? 0
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  const requests = await load.run(forMs(sliceMs))
  const seconds = (performance.now() - startedAt) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  const spentElsewhere = ((await cpuElsewhere?.()) ?? 0) - elsewhere
  return { requests, perSecond: requests / seconds, cpuUs: (user + system + spentElsewhere) / requests }
}
