import { type RotationMethod, rotationMethod } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import type { Rung } from '../drivers/driver.ts'
import type { PrivateDir } from '../state/private-dir.ts'
import { type HoldTry, isHeld, judgeHold, planLadder, TRIES_THAT_COUNT } from './plan-ladder.ts'

const FILE = 'holds.json'
/** Carriers times holds: of a phone that travels, the holds that were not used for longest are forgotten. */
const MAX_ENTRIES = 200

const entry = z.object({
  /** As the SIM or the network names it; empty where nobody says. */
  carrier: z.string(),
  driver: z.string(),
  method: rotationMethod,
  holdMs: z.int().nonnegative(),
  tries: z.array(z.object({ at: z.number(), isChanged: z.boolean(), tookMs: z.number() })).max(TRIES_THAT_COUNT),
})
type Entry = z.infer<typeof entry>

/** One hold as it is shown. */
export const holdRow = z.object({
  carrier: z.string(),
  driver: z.string(),
  method: rotationMethod,
  hold_ms: z.int(),
  /** Of the last 30. */
  tries: z.int(),
  changed: z.int(),
  /** On the average, from switching off to the new address. */
  took_ms: z.int(),
  verdict: z.enum(['good', 'bad', 'unknown']),
})
export type HoldRow = z.infer<typeof holdRow>

/** The books of a process's devices: what one of them learned of a carrier counts for all of its kind. */
export type HoldLibrary = Set<HoldBook>

/** What one device has learned of how long it must be off, on disk. */
export class HoldBook {
  readonly #dir: Pick<PrivateDir, 'read' | 'write'>
  readonly #driver: string
  #entries: Entry[]

  private constructor(dir: Pick<PrivateDir, 'read' | 'write'>, driver: string, entries: Entry[]) {
    this.#dir = dir
    this.#driver = driver
    this.#entries = entries
  }

  /** Opens the book of a device with that kind of driver. Throws `state_dir`. */
  static async open(dir: Pick<PrivateDir, 'read' | 'write'>, driver: string): Promise<HoldBook> {
    return new HoldBook(dir, driver, (await dir.read(FILE, z.array(entry))) ?? [])
  }

  /** The ladder for a carrier, planned by what this book and the others of the library know. */
  plan(carrier: string, rungs: readonly Rung[], library: ReadonlySet<HoldBook>, dice: number): readonly Rung[] {
    const [first] = rungs
    if (!first) return rungs
    const known = [...new Set([this, ...library])].flatMap((book) => book.#about(carrier, this.#driver, first.method))
    const triesOf = (holdMs: number): HoldTry[] =>
      known
        .filter((one) => one.holdMs === holdMs)
        .flatMap(({ tries }) => tries)
        .sort((a, b) => a.at - b.at)
    const holds = known.map(({ holdMs }) => holdMs)
    return planLadder(rungs, triesOf, holds, dice)
  }

  /** Notes what came of a hold. Throws `state_dir`. */
  async note(carrier: string, rung: Rung, tried: HoldTry): Promise<void> {
    if (!isHeld(rung)) return
    const { method, holdMs } = rung
    const isSame = (one: Entry): boolean =>
      one.carrier === carrier && one.driver === this.#driver && one.method === method && one.holdMs === holdMs
    const before = this.#entries.find(isSame)?.tries ?? []
    const noted = { carrier, driver: this.#driver, method, holdMs, tries: [...before, tried].slice(-TRIES_THAT_COUNT) }
    this.#entries = [...this.#entries.filter((one) => !isSame(one)), noted].slice(-MAX_ENTRIES)
    await this.#dir.write(FILE, this.#entries)
  }

  /** What is known, the shortest hold of each carrier first. */
  table(): HoldRow[] {
    const rows = this.#entries.map(({ carrier, driver, method, holdMs, tries }) => ({
      carrier,
      driver,
      method,
      hold_ms: holdMs,
      tries: tries.length,
      changed: tries.filter(({ isChanged }) => isChanged).length,
      took_ms: Math.round(tries.reduce((sum, { tookMs }) => sum + tookMs, 0) / Math.max(1, tries.length)),
      verdict: judgeHold(tries).verdict,
    }))
    return rows.sort((a, b) => a.carrier.localeCompare(b.carrier) || a.method.localeCompare(b.method) || a.hold_ms - b.hold_ms)
  }

  #about(carrier: string, driver: string, method: RotationMethod): Entry[] {
    return this.#entries.filter((one) => one.carrier === carrier && one.driver === driver && one.method === method)
  }
}
