import { commandReport, rotationMethod } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import type { PrivateDir } from '../state/private-dir.ts'

const FILE = 'commands.json'
/** The hub repeats an order until it has its result; older ones than this it cannot repeat any more. */
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

/** The orders of this device, on disk: none is executed twice, and no result is lost, whenever the agent is killed. */
export class CommandJournal {
  readonly #dir: PrivateDir
  #entries: JournalEntry[]

  private constructor(dir: PrivateDir, entries: JournalEntry[]) {
    this.#dir = dir
    this.#entries = entries
  }

  static async open(dir: PrivateDir): Promise<CommandJournal> {
    return new CommandJournal(dir, (await dir.read(FILE, z.array(entry))) ?? [])
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
    await this.#save([...this.#entries, begun].slice(-MAX_ENTRIES))
  }

  /** Notes more of an order. */
  async update(id: string, change: Partial<Omit<JournalEntry, 'id'>>): Promise<void> {
    await this.#save(this.#entries.map((known) => (known.id === id ? { ...known, ...change } : known)))
  }

  async #save(entries: JournalEntry[]): Promise<void> {
    this.#entries = entries
    await this.#dir.write(FILE, entries)
  }
}
