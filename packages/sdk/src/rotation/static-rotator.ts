import type { Clock } from '../clock.ts'
import type { RotationFailure, RotationTrigger } from '../contract/index.ts'
import type { Device } from '../core/device.ts'
import { MobilePoolError } from '../errors.ts'
import type { RotationResult } from '../events.ts'
import type { Drains } from './drains.ts'
import { type RotationCall, RotationCallError } from './rotation-call.ts'

export interface StaticRotatorParts {
  readonly clock: Clock
  readonly drains: Drains
  readonly find: (id: string) => Device | undefined
  /** What makes each device rotate, by its id. */
  readonly calls: ReadonlyMap<string, RotationCall>
  /** The exit IP as an echo sees it; null when no echo is known. */
  readonly probe: ((device: Device) => Promise<string>) | null
  readonly setExitIp: (device: Device, exitIp: string | null) => void
  readonly onEnd: (result: RotationResult) => void
  /** How long the call may take. */
  readonly callTimeoutMs: number
  /** How long to look for another exit IP once the call has returned. */
  readonly verifyMs: number
}

/** Pause between two looks at the exit IP. */
const LOOK_EVERY_MS = 1_000

/** Rotates devices that no hub knows: by their rotation URL or function, and by looking at the exit IP before and after. */
export class StaticRotator {
  readonly #parts: StaticRotatorParts

  constructor(parts: StaticRotatorParts) {
    this.#parts = parts
  }

  async rotate(id: string, trigger: RotationTrigger): Promise<RotationResult> {
    const { clock, drains, find, calls, onEnd } = this.#parts
    const device = find(id)
    const call = calls.get(id)
    if (device === undefined || call === undefined) {
      throw new MobilePoolError('MP_ROTATION_UNSUPPORTED', `device "${id}" has no \`rotate\`: give it a URL or a function`, {
        phase: 'rotation',
        deviceId: id,
      })
    }
    const startedAt = clock.now()
    const oldIp = device.exitIp ?? (await this.#look(device))
    await drains.begin(device, 'rotation')
    const seen = await this.#turn(device, call, trigger, oldIp)
    const result = { deviceId: id, device: device.facts.name, trigger, oldIp, durationMs: Math.round(clock.now() - startedAt), ...seen }
    // It was turned, and nobody knows to what: the bans of the IP before are not held against it.
    if (seen.reason === 'probe_failed' && seen.newIp === null) this.#parts.setExitIp(device, null)
    onEnd(result)
    return result
  }

  async #turn(device: Device, call: RotationCall, trigger: RotationTrigger, oldIp: string | null): Promise<Verdict> {
    try {
      const claimed = await call({ deviceId: device.id, trigger, signal: AbortSignal.timeout(this.#parts.callTimeoutMs) })
      const newIp = this.#parts.probe === null ? claimed : await this.#lookForAnother(device, oldIp)
      if (newIp === null) {
        const detail =
          this.#parts.probe === null
            ? 'the call succeeded, but nothing tells whether the exit IP changed: set `exitIpUrl`, or return the new IP from `rotate`'
            : 'the device did not come back: its exit IP could not be measured'
        return failed('probe_failed', detail)
      }
      if (oldIp === null) return { ...failed('probe_failed', 'the exit IP before the rotation is not known'), newIp }
      return { outcome: newIp === oldIp ? 'unchanged' : 'changed', newIp }
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      if (error instanceof RotationCallError) return failed(error.reason, detail)
      return failed(error instanceof Error && error.name === 'TimeoutError' ? 'deadline_exceeded' : 'device_unreachable', detail)
    }
  }

  /** Looks until another IP than the old one shows, or time is up; the last one seen, null when none was. */
  async #lookForAnother(device: Device, oldIp: string | null): Promise<string | null> {
    const { clock, verifyMs } = this.#parts
    const until = clock.now() + verifyMs
    for (let lastSeen: string | null = null; ; ) {
      lastSeen = (await this.#look(device)) ?? lastSeen
      if ((lastSeen !== null && lastSeen !== oldIp) || clock.now() >= until) return lastSeen
      await new Promise<void>((resolve) => clock.schedule(LOOK_EVERY_MS, resolve, { keepsProcessAlive: true }))
    }
  }

  async #look(device: Device): Promise<string | null> {
    return (await this.#parts.probe?.(device).catch(() => null)) ?? null
  }
}

type Verdict = Pick<RotationResult, 'outcome' | 'newIp' | 'reason' | 'detail'>

const failed = (reason: RotationFailure, detail: string): Verdict => ({ outcome: 'failed', newIp: null, reason, detail })
