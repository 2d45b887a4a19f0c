import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { AgentError } from '../errors.ts'
import type { PrivateDir } from '../state/private-dir.ts'

const DAY_MS = 86_400_000
/** Reference: device-control.md section 7. */
const PER_DAY = 4
const APART_MS = 30 * 60_000

const schema = z.array(z.number()).max(100)

/** Bounds the reboots of one device: at most four a day, half an hour apart, counted across restarts of the agent. */
export class RebootBudget {
  readonly #clock: Clock
  readonly #stateDir: Pick<PrivateDir, 'read' | 'write'>
  readonly #file: string

  /** @param file where they are counted; others than reboots have a file, and a budget, of their own */
  constructor(parts: { readonly clock: Clock; readonly stateDir: Pick<PrivateDir, 'read' | 'write'> }, file = 'reboots.json') {
    this.#file = file
    this.#clock = parts.clock
    this.#stateDir = parts.stateDir
  }

  /** How many more reboots there are today, and when the next one may be; null: now. */
  async look(): Promise<{ readonly left: number; readonly againAt: number | null }> {
    const { recent, nextAt } = await this.#count()
    return { left: Math.max(0, PER_DAY - recent.length), againAt: nextAt > this.#clock.now() ? nextAt : null }
  }

  /** Counts one more reboot, before it happens. Throws `too_soon`. */
  async spend(): Promise<void> {
    const now = this.#clock.now()
    const { recent, nextAt } = await this.#count()
    if (nextAt > now) {
      const minutes = Math.ceil((nextAt - now) / 60_000)
      throw new AgentError(
        'too_soon',
        `The device was rebooted lately: at most ${PER_DAY} times a day, half an hour apart; again in ${minutes} min.`,
      )
    }
    await this.#stateDir.write(this.#file, [...recent, now])
  }

  async #count(): Promise<{ recent: number[]; nextAt: number }> {
    const now = this.#clock.now()
    // A clock that was set back must not forbid reboots for ever.
    const recent = ((await this.#stateDir.read(this.#file, schema)) ?? []).filter((at) => at <= now && now - at < DAY_MS)
    const last = recent.at(-1)
    const nextAt = Math.max(last === undefined ? 0 : last + APART_MS, recent.length < PER_DAY ? 0 : (recent.at(-PER_DAY) ?? 0) + DAY_MS)
    return { recent, nextAt }
  }
}
