import type { MobilePool } from '@mobilepool/sdk'
import { pick, seeded } from '../seeded.ts'
import type { Child } from '../servers/child.ts'
import type { WorldCalls } from './world.ts'

/** After how many finished requests something happens to a device. */
const EVERY_REQUESTS = 40
/** For how many finished requests a device that vanished stays away. */
const AWAY_REQUESTS = 300

/** What happens to devices in the course of a run, at moments counted in finished requests, so that a seed repeats it. */
export class Weather {
  readonly rotations: Partial<Record<string, number>> = {}
  vanishings = 0
  readonly #random: () => number
  readonly #pool: MobilePool
  readonly #world: Child<WorldCalls>
  readonly #ids: readonly string[]
  readonly #away = new Map<number, number>()
  readonly #underWay = new Set<Promise<unknown>>()
  #finished = 0

  constructor(seed: number, pool: MobilePool, world: Child<WorldCalls>, ids: readonly string[]) {
    this.#random = seeded(seed + 77)
    this.#pool = pool
    this.#world = world
    this.#ids = ids
  }

  /** A request has finished. */
  pass(): void {
    this.#finished++
    for (const [device, back] of this.#away) if (back <= this.#finished) this.#comeBack(device)
    if (this.#finished % EVERY_REQUESTS !== 0) return
    const device = Math.floor(this.#random() * this.#ids.length)
    const happens = pick(this.#random, [
      [50, () => this.#rotate(device)],
      [30, () => this.#vanish(device)],
      [20, () => this.#do(this.#world.ask('cut', device))],
    ] as const)
    happens()
  }

  /** Lets every rotation finish; every device is there again. */
  async clearUp(): Promise<void> {
    for (const device of this.#away.keys()) this.#comeBack(device)
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  #rotate(device: number): void {
    const count = (what: string): void => {
      this.rotations[what] = (this.rotations[what] ?? 0) + 1
    }
    const id = this.#ids[device] ?? ''
    this.#do(
      this.#pool.rotate(id).then(
        ({ outcome }) => count(outcome),
        (error: Error) => count(error.message),
      ),
    )
  }

  /** At most a third of the fleet is away at once. */
  #vanish(device: number): void {
    if (this.#away.has(device) || this.#away.size >= this.#ids.length / 3) return
    this.vanishings++
    this.#away.set(device, this.#finished + AWAY_REQUESTS)
    this.#do(this.#world.ask('vanish', device))
  }

  #comeBack(device: number): void {
    this.#away.delete(device)
    this.#do(this.#world.ask('comeBack', device))
  }

  #do(happening: Promise<unknown>): void {
    this.#underWay.add(happening)
    void happening.finally(() => this.#underWay.delete(happening))
  }
}
