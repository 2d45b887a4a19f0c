import { commandReport, rotationMethod } from '@mobilepool/sdk/contract'
import type { Logger } from 'pino'
import { z } from 'zod'
import type { PrivateDir } from '../state/private-dir.ts'

const FILE = 'commands.json'
/** The hub repeats an order until it has its result; of those that it has, older ones than this it cannot repeat any more. */
const MAX_ENTRIES = 50

const entry = z.object({
  id: z.uuid(),
  /** What the rotation knew when it went down: what is needed to end it after the agent was killed. */
  oldIp: z.string().nullable(),
  method: rotationMethod.nullable(),
  hasGoneDown: z.boolean(),
  /** The result; null while it runs. */
  report: commandReport.nullable(),
  isAcknowledged: z.boolean(),
})

/** One order and what became of it. */
export type JournalEntry = z.infer<typeof entry>

/**
 * The orders of this device, on disk: none is executed twice, and no result is lost, whenever the agent is killed. While the disk takes nothing
 * (it is full, or has become read-only) they are kept in memory: a device that cannot note its rotations still has to make them.
 */
export class CommandJournal {
  readonly #dir: PrivateDir
  readonly #log: Pick<Logger, 'warn' | 'info'>
  #entries: JournalEntry[]
  #isOnDisk: boolean = true

  private constructor(dir: PrivateDir, entries: JournalEntry[], log: Pick<Logger, 'warn' | 'info'>) {
    this.#dir = dir
    this.#entries = entries
    this.#log = log
  }

  /** Throws `state_dir` when what is there cannot be read. */
  static async open(dir: PrivateDir, log: Pick<Logger, 'warn' | 'info'>): Promise<CommandJournal> {
    return new CommandJournal(dir, (await dir.read(FILE, z.array(entry))) ?? [], log)
  }

  find(id: string): JournalEntry | null {
    return this.#entries.find((known) => known.id === id) ?? null
  }

  /** The order that was running when the agent was killed. */
  interrupted(): JournalEntry | null {
    return this.#entries.find((known) => known.report === null) ?? null
  }

  /** Results that the hub has not acknowledged yet, oldest first. */
  unacknowledged(): (JournalEntry & { report: NonNullable<JournalEntry['report']> })[] {
    return this.#entries.flatMap((known) => (known.report !== null && !known.isAcknowledged ? [{ ...known, report: known.report }] : []))
  }

  /** Notes an order before anything of it is done. */
  async begin(id: string): Promise<void> {
    const begun = { id, oldIp: null, method: null, hasGoneDown: false, report: null, isAcknowledged: false }
    await this.#save(forgetOldest([...this.#entries, begun]))
  }

  /** Notes more of an order. */
  async update(id: string, change: Partial<Omit<JournalEntry, 'id'>>): Promise<void> {
    await this.#save(this.#entries.map((known) => (known.id === id ? { ...known, ...change } : known)))
  }

  async #save(entries: JournalEntry[]): Promise<void> {
    this.#entries = entries
    try {
      await this.#dir.write(FILE, entries)
      if (!this.#isOnDisk) this.#log.info('orders and results are written to the disk again')
      this.#isOnDisk = true
    } catch (error) {
      // Once: a full disk shall not be filled with this.
      if (this.#isOnDisk)
        this.#log.warn({ reason: (error as Error).message }, 'orders and results are kept in memory only: a restart now would lose them')
      this.#isOnDisk = false
    }
  }
}

/** What the hub has acknowledged goes first; a result that it does not take is forgotten after as many more orders. */
function forgetOldest(entries: readonly JournalEntry[]): JournalEntry[] {
  const tooMany = entries.length - MAX_ENTRIES
  const settled = new Set(entries.filter(({ isAcknowledged }) => isAcknowledged).slice(0, Math.max(0, tooMany)))
  return entries.filter((known) => !settled.has(known)).slice(-2 * MAX_ENTRIES)
}
