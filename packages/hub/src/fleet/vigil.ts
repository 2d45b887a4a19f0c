import type { DeviceCondition } from '@mobilepool/sdk/contract'

/** When a silence is told, when it is over, and what counts as flapping; ms. Admins set the first and the middle ones as alert rules. */
export interface VigilSettings {
  /** A silence that lasts so long is told: one lost heartbeat must not wake anybody (reference/hub.md 1.5). */
  silentAfterMs: number
  /** A device that was told silent is back after so long without another silence: a nap of Android's is not worth two messages. */
  backAfterMs: number
  /** So many comings and goings within `flapWindowMs` are flapping; infinite: nothing is. */
  flaps: number
  flapWindowMs: number
  /** Flapping is over after so long without a coming or going. */
  steadyAfterMs: number
}

/** Comings and goings remembered of one device: the most that a rule can ask for. */
const MAX_FLIPS = 1_000

export const vigilDefaults: VigilSettings = {
  silentAfterMs: 300_000,
  backAfterMs: 120_000,
  flaps: 6,
  flapWindowMs: 3_600_000,
  steadyAfterMs: 1_800_000,
}

/** What is remembered of a device's comings and goings; times in ms. */
export interface Vigil {
  isUp: boolean
  /** Since when it has been heard without a silence. */
  upSince: number
  /** When it came or went, oldest first; at most `flaps` of them. */
  flips: readonly number[]
  flappingSince: number | null
  /** Since when the silence lasts that was told; null: none was, or it is over. */
  silentSince: number | null
}

/** What is seen of a device now. */
export interface Sight {
  isSilent: boolean
  /** The moment from which its silence is counted; null: it was never heard. */
  silentFrom: number | null
  lastHeartbeat: number | null
  now: number
}

/** What its owner should know. */
export type VigilNews =
  | { type: 'silent'; since: number }
  | { type: 'back'; silentSince: number }
  | { type: 'flapping'; phase: 'began' | 'ended'; isUp: boolean }

/** What was told of a device before the hub was started, and is not over as far as anybody knows. */
export type Told = Pick<Vigil, 'silentSince' | 'flappingSince'>

/** The first sight of a device: nothing of it is a coming or going. If it was told to flap, it is steady from now on. */
export const firstSight = ({ isSilent, now }: Sight, { silentSince, flappingSince }: Told): Vigil => ({
  isUp: !isSilent,
  upSince: now,
  flips: flappingSince === null ? [] : [now],
  flappingSince,
  silentSince,
})

/**
 * Looks at a device again. For one outage there is one `silent` and one `back`; while it flaps there is neither, and when that is over
 * what then holds is told. Returns the same object when nothing has changed.
 */
export function watch(before: Vigil, sight: Sight, settings: VigilSettings): { vigil: Vigil; news: VigilNews[] } {
  const { now } = sight
  const news: VigilNews[] = []
  let vigil = before
  if (vigil.isUp === sight.isSilent) {
    const most = Math.min(settings.flaps, MAX_FLIPS)
    const flips = [...vigil.flips.filter((at) => at > now - settings.flapWindowMs), now].slice(-most)
    vigil = { ...vigil, isUp: !sight.isSilent, upSince: sight.isSilent ? vigil.upSince : (sight.lastHeartbeat ?? now), flips }
    if (vigil.flappingSince === null && flips.length >= settings.flaps) {
      vigil.flappingSince = now
      news.push({ type: 'flapping', phase: 'began', isUp: vigil.isUp })
    }
  }
  if (vigil.flappingSince !== null) {
    const isSteady = now - (vigil.flips.at(-1) ?? vigil.flappingSince) >= settings.steadyAfterMs
    if (!isSteady && settings.flaps !== Number.POSITIVE_INFINITY) return { vigil, news }
    vigil = { ...vigil, flappingSince: null, flips: [] }
    news.push({ type: 'flapping', phase: 'ended', isUp: vigil.isUp })
  }
  if (isLongSilent(vigil, sight, settings) && vigil.silentSince === null) {
    const since = sight.lastHeartbeat ?? now
    vigil = { ...vigil, silentSince: since }
    news.push({ type: 'silent', since })
  }
  if (isBack(vigil, sight, settings) && vigil.silentSince !== null) {
    news.push({ type: 'back', silentSince: vigil.silentSince })
    vigil = { ...vigil, silentSince: null }
  }
  return { vigil, news }
}

/** How steadily the device is heard, in one word. */
export function conditionOf(vigil: Vigil | null, sight: Sight, settings: VigilSettings): DeviceCondition {
  if (vigil !== null && vigil.flappingSince !== null) return 'flapping'
  if (!sight.isSilent) return vigil === null || vigil.silentSince === null ? 'steady' : 'recovering'
  return sight.silentFrom === null || sight.now - sight.silentFrom >= settings.silentAfterMs ? 'silent' : 'late'
}

/** A device that was never heard has nothing to fall silent from. */
const isLongSilent = (vigil: Vigil, { silentFrom, now }: Sight, { silentAfterMs }: VigilSettings): boolean =>
  !vigil.isUp && silentFrom !== null && now - silentFrom >= silentAfterMs

/** More than one heartbeat, and over some time. */
const isBack = (vigil: Vigil, { lastHeartbeat, now }: Sight, { backAfterMs }: VigilSettings): boolean =>
  vigil.isUp && now - vigil.upSince >= backAfterMs && lastHeartbeat !== null && lastHeartbeat > vigil.upSince
