import type { Device } from '../core/device.ts'
import type { ExitMemory } from '../core/quarantine.ts'

/** An answer that a caller got, for as long as a report may still name it. */
export interface RecentAnswer {
  /** The number of its request, as `x-mobilepool-request` shows it. */
  readonly order: number
  readonly device: Device
  /** The exit that served it, whatever exit the device has by now. */
  readonly exit: ExitMemory
  readonly site: string
  /** Strikes that this answer ended, because it looked proper. They come back when it turns out to be a ban. */
  strikesEnded: number
  /** It has been counted as a ban. */
  isCounted: boolean
}

/** How many answers are remembered: minutes of a busy parser, and half a megabyte. */
const REMEMBERED = 4_096

/** The answers given last, so that a report of a response finds the exit that served it and counts once. */
export class RecentAnswers {
  readonly #ring: RecentAnswer[] = []

  add(answer: RecentAnswer): void {
    this.#ring[answer.order % REMEMBERED] = answer
  }

  /** The answer of this number; undefined when it is too long ago. */
  get(order: number): RecentAnswer | undefined {
    const answer = this.#ring[order % REMEMBERED]
    return answer?.order === order ? answer : undefined
  }
}
