import type { Rung } from '../drivers/driver.ts'

/**
 * What a look at the device has found.
 * - `online`: the hub hears it, or a name server answers through it: whatever is wrong is not the device.
 * - `off`: its radio is switched off though nobody rotates it.
 * - `offline`: it says itself that it has no registration or no data session.
 * - `silent`: it says that it is online, but nobody answers through it: neither the hub nor a name server.
 * - `unreachable`: it does not answer its driver.
 * - `helpless`: no SIM, a PIN, a password, a missing permission: a person has to come.
 */
export type Finding = 'online' | 'off' | 'offline' | 'silent' | 'unreachable' | 'helpless'

/** A device that is in trouble, from the first look that found it so. */
export interface Trouble {
  readonly since: number
  /** Cures of this round that have been tried, by `cureName`. */
  readonly tried: readonly string[]
  /** Rounds through all cures that have failed. */
  readonly rounds: number
  /** Nothing is tried before. */
  readonly restUntil: number
}

/** What to do now. */
export type Step = { readonly do: 'nothing' | 'switch_on' } | { readonly do: 'cure'; readonly cure: Rung }

/** How long each kind of trouble is watched before anything is done: carriers have blips, and hubs are restarted. Milliseconds. */
const PATIENCE_MS = { offline: 60_000, unreachable: 300_000, silent: 600_000 } as const
/** Between two cures. */
const BETWEEN_MS = 30_000
/** After all of them have failed, by the number of rounds: the last again and again. A SIM without credit is not cured by a reboot an hour. */
const ROUND_PAUSES_MS = [600_000, 1_200_000, 2_400_000, 3_600_000] as const

/** What tells one cure from another. */
export const cureName = ({ method, holdMs }: Rung): string => (holdMs > 0 ? `${method} for ${holdMs / 1_000} s` : method)

/** The device's cures, the mildest first, what takes minutes last; reboots and power cycles are bounded by their budgets. */
export function curesOf(ladder: readonly Rung[]): readonly Rung[] {
  const severity = ({ method, isOnRequest }: Rung): number =>
    method === 'power_cycle' ? 3 : method === 'device_reboot' ? 2 : isOnRequest ? 1 : 0
  return ladder.toSorted((one, other) => severity(one) - severity(other))
}

/**
 * What to do about what was found. Where the device says that it is online, only what a rotation does anyway is tried: its silence may be
 * the hub's. One that does not answer can only be rebooted, or have its power cycled.
 */
export function nextStep(
  trouble: Trouble | null,
  finding: Finding,
  cures: readonly Rung[],
  now: number,
): { readonly trouble: Trouble | null; readonly step: Step } {
  if (finding === 'online') return { trouble: null, step: { do: 'nothing' } }
  const known = trouble ?? { since: now, tried: [], rounds: 0, restUntil: now }
  if (finding === 'off') return { trouble: known, step: { do: 'switch_on' } }
  if (finding === 'helpless' || now < known.since + PATIENCE_MS[finding] || now < known.restUntil)
    return { trouble: known, step: { do: 'nothing' } }
  const suited = cures.filter((cure) =>
    finding === 'unreachable'
      ? cure.method === 'device_reboot' || cure.method === 'power_cycle'
      : finding === 'offline' || cure.isOnRequest !== true,
  )
  const cure = suited.find((each) => !known.tried.includes(cureName(each)))
  if (cure) return { trouble: { ...known, tried: [...known.tried, cureName(cure)] }, step: { do: 'cure', cure } }
  const pauseMs = ROUND_PAUSES_MS[Math.min(known.rounds, ROUND_PAUSES_MS.length - 1)] ?? 0
  return { trouble: { ...known, tried: [], rounds: known.rounds + 1, restUntil: now + pauseMs }, step: { do: 'nothing' } }
}

/** After a cure that did not help at once: it is given a moment. */
export const afterCure = (trouble: Trouble, now: number): Trouble => ({ ...trouble, restUntil: now + BETWEEN_MS })
