import { z } from 'zod'
import type { SimulatorKnobs } from './knobs.ts'

/**
 * The state of a simulated modem at its simulated carrier. It is kept outside of the agent's process, as a real modem's is: an agent that
 * is killed in the middle of a rotation leaves the radio off.
 */
export const modemState = z.object({
  radio: z.enum(['on', 'off']),
  /** When the radio was switched last. */
  since: z.number(),
  /** Which address of the carrier's pool it has. */
  address: z.int().nonnegative(),
  /** When it is online; null: not before it is switched off and on again. */
  onlineAt: z.number().nullable(),
  /** When it is on its bus again. */
  presentAt: z.number(),
  /** Whether the carrier denies the registration now, and how often it has. */
  isDenied: z.boolean(),
  denials: z.int().nonnegative(),
  /** How often the radio was switched on. */
  cycles: z.int().nonnegative().default(0),
})
export type ModemState = z.infer<typeof modemState>

/** A modem that has been on and online for long. */
export const freshModem = (now: number): ModemState => ({
  radio: 'on',
  since: now,
  address: 0,
  onlineAt: now,
  presentAt: now,
  isDenied: false,
  denials: 0,
  cycles: 0,
})

/** Radio off. */
export function switchOff(modem: ModemState, knobs: SimulatorKnobs, now: number): ModemState {
  if (modem.radio === 'off') return modem
  if (knobs.autoReconnectDuringHold) return { ...modem, onlineAt: now + attachDelay(knobs, 0.5) }
  return { ...modem, radio: 'off', since: now, onlineAt: null }
}

/** Radio on: the carrier gives the next address of its pool if the hold was long enough, and with luck. */
export function switchOn(modem: ModemState, knobs: SimulatorKnobs, now: number, random: () => number): ModemState {
  if (modem.radio === 'on') return modem
  const on: ModemState = {
    ...modem,
    radio: 'on',
    since: now,
    presentAt: now + knobs.reenumerate,
    isDenied: false,
    cycles: modem.cycles + 1,
  }
  if (modem.denials < knobs.denyRegistration) return { ...on, onlineAt: null, isDenied: true, denials: modem.denials + 1 }
  const isHeldLong = now - modem.since >= knobs.changeAfterHoldMs
  const isSticky = random() < knobs.repeatProbability
  const address = isHeldLong && !isSticky ? (modem.address + 1) % knobs.poolSize : modem.address
  const isStuck = random() < knobs.stuckProbability
  return { ...on, address, onlineAt: isStuck ? null : now + knobs.reenumerate + attachDelay(knobs, random()) }
}

/** Whether it is registered with a data session. */
export const isOnline = (modem: ModemState, knobs: SimulatorKnobs, now: number): boolean =>
  modem.radio === 'on' && modem.onlineAt !== null && now >= modem.onlineAt && now < sessionEnd(modem, knobs)

/** When its data session is lost by itself; infinity: never. */
export const sessionEnd = ({ cycles, since }: ModemState, { loseSessionAfterMs }: SimulatorKnobs): number =>
  cycles > 0 || loseSessionAfterMs === undefined ? Number.POSITIVE_INFINITY : since + loseSessionAfterMs

/** The exit IP of an address of the pool. */
export function addressOf(modem: ModemState, knobs: SimulatorKnobs): string {
  const parts = knobs.firstAddress.split('.')
  return [...parts.slice(0, 3), Number(parts[3]) + modem.address].join('.')
}

function attachDelay({ attachDelayMs }: SimulatorKnobs, random: number): number {
  if (typeof attachDelayMs === 'number') return attachDelayMs
  const [min, max] = attachDelayMs
  return Math.round(min + (max - min) * random)
}
