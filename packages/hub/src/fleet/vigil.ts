import type { DeviceCondition } from '@mobilepool/sdk/contract'

/** When a silence is told, when it is over, and what counts as flapping; ms. */
export interface VigilSettings {
  /** A silence that lasts so long is told: one lost heartbeat must not wake anybody (reference/hub.md 1.5). */
  silentAfterMs: number
  /** A device that was told silent is back after so long without another silence: a nap of Android's is not worth two messages. */
  backAfterMs: number
  /** So many comings and goings within `flapWindowMs` are flapping. */
  flaps: number
  flapWindowMs: number
  /** Flapping is over after so long without a coming or going. */
  steadyAfterMs: number
}

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

/** The first sight of a device: nothing of it is a coming or going. */
export const firstSight = ({ isSilent, now }: Sight, silentSince: number | null): Vigil => ({
  isUp: !isSilent,
  upSince: now,
  flips: [],
  flappingSince: null,
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
    const flips = [...vigil.flips.filter((at) => at > now - settings.flapWindowMs), now].slice(-settings.flaps)
    vigil = { ...vigil, isUp: !sight.isSilent, upSince: sight.isSilent ? vigil.upSince : (sight.lastHeartbeat ?? now), flips }
    if (vigil.flappingSince === null && flips.length >= settings.flaps) {
      vigil.flappingSince = now
      news.push({ type: 'flapping', phase: 'began', isUp: vigil.isUp })
    }
  }
  if (vigil.flappingSince !== null) {
    if (now - (vigil.flips.at(-1) ?? vigil.flappingSince) < settings.steadyAfterMs) return { vigil, news }
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
