import PQueue from 'p-queue'
import type { Clock } from '../clock.ts'
import type { RotationTrigger } from '../contract/index.ts'
import type { Device } from '../core/device.ts'
import type { ExitMemory } from '../core/quarantine.ts'
import { MobilePoolError } from '../errors.ts'
import type { Emit, RotationResult } from '../events.ts'
import { DueTimes } from './due-times.ts'
import { ExitUse } from './exit-use.ts'
import { SiteAllowance } from './site-allowance.ts'

export interface TriggerSettings {
  /** Null: no rotation by the clock. */
  readonly everyMs: number | null
  /** Attempts that reached a site through a device's exit IP before it rotates. Null: no rotation by requests. */
  readonly afterRequests: number | null
  /** Requests that met a ban at a device's exit IP before it rotates. Null: no rotation by bans. */
  readonly onBanCount: number | null
  /** Whether a device rotates when a session on it ends. */
  readonly onSessionEnd: boolean
  /** Between two rotations of a device for requests, bans and sessions, at least. */
  readonly minIntervalMs: number
  /** Between two rotations for bans of one site, beyond the share of the fleet that it may have rotated at once. */
  readonly minSiteIntervalMs: number
  /** Rotations asked for by triggers at the same time, at most. */
  readonly maxParallel: number
  /** The same as a share of the devices that are up; one always may. */
  readonly maxShare: number
  /** A rotation that may begin within this time is worth waiting for, ms. */
  readonly patienceMs: number
}

export interface TriggerParts {
  readonly clock: Clock
  readonly random: () => number
  readonly emit: Emit
  readonly devices: () => Iterable<Device>
  /** How many devices take requests now. */
  readonly readyCount: () => number
  readonly rotate: (id: string, trigger: RotationTrigger) => Promise<RotationResult>
  /** What was asked for is over, or could not begin: who waits for it is to be looked at again. */
  readonly onSettled: () => void
}

/** Why a device is to rotate, and for whose bans. */
type Wish = { readonly trigger: 'interval' | 'requests' | 'session' } | { readonly trigger: 'ban'; readonly site: string }

/** Intervals differ by up to this share from device to device and from time to time, so that a fleet never rotates as one. */
const JITTER = 0.1
/** How soon a device is looked at again that was offline when its interval was over. */
const LOOK_AGAIN_MS = 5_000
/**
 * A rotation may bring an IP that the same site has banned before. Then the device may rotate again at once, so many times in a row;
 * a carrier that keeps handing out burnt addresses is not worth more.
 */
const BURNT_IN_A_ROW = 2

/** Decides when devices rotate. A trigger never fails a request: what goes wrong is an event. */
export class Triggers {
  readonly #settings: TriggerSettings
  readonly #parts: TriggerParts
  readonly #queue: PQueue
  readonly #sites: SiteAllowance
  readonly #use = new ExitUse()
  readonly #asked = new Set<Device>()
  /** Those of them whose turn it is. */
  readonly #running = new Set<Device>()
  /** When a device may be asked again because of requests, bans or sessions. */
  readonly #notBefore = new WeakMap<Device, number>()
  /** Rotations in a row that brought a burnt IP. */
  readonly #burnt = new WeakMap<Device, number>()
  /** When each device's interval is over. */
  readonly #intervals = new DueTimes<Device>()
  /** Devices whose session ended within the least time since their last rotation. */
  readonly #sessions = new DueTimes<Device>()
  /** When a starved site is to be looked at again, because a rotation may begin then. */
  #helpAt = Number.POSITIVE_INFINITY
  #timer: { readonly at: number; readonly callOff: () => void } | null = null
  #isClosed: boolean = false

  constructor(settings: TriggerSettings, parts: TriggerParts) {
    this.#settings = settings
    this.#parts = parts
    this.#queue = new PQueue({ concurrency: settings.maxParallel })
    this.#sites = new SiteAllowance(settings)
  }

  /** A device came: its interval begins, somewhere in its course, so that they do not all end together. */
  deviceAdded(device: Device): void {
    const { everyMs } = this.#settings
    if (everyMs === null || this.#isClosed) return
    this.#intervals.set(device, this.#parts.clock.now() + everyMs * (0.5 + this.#parts.random() / 2))
    this.#setTimer()
  }

  deviceRemoved(device: Device): void {
    this.#intervals.delete(device)
    this.#sessions.delete(device)
  }

  /** The device has rotated, whoever asked for it and whatever came of it: interval and counts begin anew. */
  noteRotation(device: Device): void {
    const { everyMs } = this.#settings
    this.#use.forget(device)
    this.#sessions.delete(device)
    if (everyMs === null) return
    this.#intervals.set(device, this.#parts.clock.now() + this.#jittered(everyMs))
    this.#setTimer()
  }

  /** An attempt reached a site through this exit of the device. */
  noteRequest(device: Device, exit: ExitMemory): void {
    const { afterRequests } = this.#settings
    if (afterRequests === null || this.#use.countRequest(device, exit) < afterRequests) return
    this.#ask(device, { trigger: 'requests' })
  }

  /** This request met a ban on the device, the site's `strikes`th in a row at this exit IP. */
  noteBan(device: Device, site: string, request: object, strikes: number): void {
    const { onBanCount } = this.#settings
    if (onBanCount === null) return
    const { count, worstSite } = this.#use.countBan(device, site, request, strikes)
    if (count >= onBanCount) this.#ask(device, { trigger: 'ban', site: worstSite })
  }

  /** A session on the device has ended. Where the device rotated a moment ago, it does as soon as it may again. */
  noteSessionEnd(device: Device, rotatesAfter: boolean = this.#settings.onSessionEnd): void {
    if (!rotatesAfter || this.#isClosed || this.#asked.has(device)) return
    const notBefore = this.#notBefore.get(device) ?? 0
    if (!Number.isFinite(notBefore)) return
    if (notBefore <= this.#parts.clock.now()) this.#ask(device, { trigger: 'session' })
    else {
      this.#sessions.set(device, notBefore)
      this.#setTimer()
    }
  }

  /**
   * Every device that is up is quarantined for the site: one of them rotates, the most banned one. Returns whether that is
   * under way, or will be within `patienceMs`, so that a request may wait for it.
   */
  helpStarved(site: string): boolean {
    if (this.#settings.onBanCount === null || this.#isClosed) return false
    if (this.#asked.size > 0) return true
    const now = this.#parts.clock.now()
    let worst: Device | undefined
    let soonest = Number.POSITIVE_INFINITY
    for (const device of this.#parts.devices()) {
      if (device.state !== 'ready' || device.exit.quarantinedUntil(site, now) === 0) continue
      soonest = Math.min(soonest, this.#notBefore.get(device) ?? now)
      if (this.#mayAsk(device) && (worst === undefined || device.exit.strikes > worst.exit.strikes)) worst = device
    }
    if (worst !== undefined && this.#ask(worst, { trigger: 'ban', site })) return true
    const allowedAt = Math.max(soonest, this.#sites.allowedAt(site, this.#devicesUp(), now))
    if (Math.min(allowedAt, this.#intervals.earliest) > now + this.#settings.patienceMs) return false
    if (allowedAt < this.#helpAt) {
      this.#helpAt = allowedAt
      this.#setTimer()
    }
    return true
  }

  /** Asks for nothing any more. */
  close(): void {
    this.#isClosed = true
    this.#timer?.callOff()
    this.#queue.clear()
  }

  #mayAsk(device: Device): boolean {
    return this.#parts.clock.now() >= (this.#notBefore.get(device) ?? 0)
  }

  /** Returns whether a rotation of the device is asked for or under way. */
  #ask(device: Device, wish: Wish): boolean {
    if (this.#isClosed) return false
    if (this.#asked.has(device) || device.rotating) return true
    if (wish.trigger !== 'interval' && !this.#mayAsk(device)) return false
    const { maxParallel, maxShare } = this.#settings
    const devicesUp = this.#devicesUp()
    if (wish.trigger === 'ban' && !this.#sites.take(wish.site, devicesUp, this.#parts.clock.now())) return false
    this.#asked.add(device)
    this.#queue.concurrency = Math.min(maxParallel, Math.max(1, Math.floor(maxShare * devicesUp)))
    // Whoever is banned waits for it; the others have time.
    void this.#queue.add(() => this.#rotate(device, wish), { priority: wish.trigger === 'ban' ? 1 : 0 })
    return true
  }

  /** Those that take requests, and those that will again when their rotation is over. */
  #devicesUp(): number {
    let up = this.#parts.readyCount()
    for (const device of this.#running) if (device.rotating) up++
    return up
  }

  async #rotate(device: Device, wish: Wish): Promise<void> {
    const { clock, rotate, onSettled } = this.#parts
    let waitMs = this.#settings.minIntervalMs
    this.#running.add(device)
    try {
      const { outcome } = await rotate(device.id, wish.trigger)
      if (wish.trigger === 'ban' && outcome === 'changed' && this.#mayTryAnother(device, wish.site)) waitMs = 0
    } catch (error) {
      if (this.#isClosed) return
      waitMs = this.#noteRefusal(device, wish, error)
    } finally {
      this.#running.delete(device)
      this.#asked.delete(device)
      this.#notBefore.set(device, clock.now() + waitMs)
      onSettled()
    }
  }

  /** Whether the new exit IP is burnt at the site too, and the device has not had its share of such. */
  #mayTryAnother(device: Device, site: string): boolean {
    const isBurnt = device.exit.quarantinedUntil(site, this.#parts.clock.now()) > 0
    const inARow = isBurnt ? (this.#burnt.get(device) ?? 0) + 1 : 0
    this.#burnt.set(device, inARow)
    return isBurnt && inARow <= BURNT_IN_A_ROW
  }

  /** The rotation did not begin. Returns how long the device is left alone. */
  #noteRefusal(device: Device, wish: Wish, cause: unknown): number {
    const { clock, emit } = this.#parts
    const error = cause instanceof Error ? cause : new Error(String(cause))
    const { code, retryAfterMs } = error instanceof MobilePoolError ? error : { code: undefined, retryAfterMs: undefined }
    const waitMs = code === 'MP_ROTATION_UNSUPPORTED' ? Number.POSITIVE_INFINITY : (retryAfterMs ?? this.#settings.minIntervalMs)
    if (wish.trigger === 'interval') this.#setInterval(device, clock.now() + waitMs)
    if (wish.trigger === 'ban') this.#sites.giveBack(wish.site)
    if (wish.trigger === 'session' && Number.isFinite(waitMs)) this.#sessions.set(device, clock.now() + waitMs)
    this.#setTimer()
    emit('rotationError', { deviceId: device.id, device: device.facts.name, trigger: wish.trigger, error })
    return waitMs
  }

  /** Infinity: its interval never ends. */
  #setInterval(device: Device, at: number): void {
    if (Number.isFinite(at)) this.#intervals.set(device, at)
    else this.#intervals.delete(device)
  }

  #jittered(ms: number): number {
    return ms * (1 + JITTER * (2 * this.#parts.random() - 1))
  }

  /** One timer for all devices. */
  #setTimer(): void {
    const at = Math.min(this.#intervals.earliest, this.#sessions.earliest, this.#helpAt)
    if (this.#isClosed || (this.#timer !== null && this.#timer.at <= at)) return
    this.#timer?.callOff()
    this.#timer = null
    if (!Number.isFinite(at)) return
    this.#timer = { at, callOff: this.#parts.clock.schedule(at - this.#parts.clock.now(), () => this.#rotateDue()) }
  }

  #rotateDue(): void {
    this.#timer = null
    const now = this.#parts.clock.now()
    for (const device of this.#sessions.takeDue(now)) this.noteSessionEnd(device, true)
    for (const device of this.#intervals.takeDue(now)) {
      // A device that is offline now is looked at again soon. When a rotation ends, or cannot begin, its next time is set anew.
      this.#intervals.set(device, now + Math.min(LOOK_AGAIN_MS, this.#settings.everyMs ?? LOOK_AGAIN_MS))
      if (device.online) this.#ask(device, { trigger: 'interval' })
    }
    if (this.#helpAt <= now) {
      this.#helpAt = Number.POSITIVE_INFINITY
      this.#parts.onSettled()
    }
    this.#setTimer()
  }
}
