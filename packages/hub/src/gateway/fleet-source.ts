import { isFinal } from '@mobilepool/sdk/contract'
import { type DeviceRecord, type DeviceSource, type RotationResult, type SourceListener, TUNNEL_URL } from '@mobilepool/sdk/gateway'
import type { HubError, Refusal } from '../errors.ts'
import { refused } from '../errors.ts'
import { type Device, exitOf, isPending } from '../fleet/device.ts'
import type { FleetEvent, FleetEvents } from '../fleet/events.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { RotationWish } from '../fleet/rotations/asks.ts'
import { isUp } from '../fleet/status.ts'
import type { RotationRecord } from '../store/index.ts'

export interface FleetSourceParts {
  fleet: Pick<Fleet, 'all' | 'find' | 'status'>
  events: FleetEvents
  now: () => number
  /** Asks for a rotation. */
  rotate: (device: Device, wish: RotationWish) => Promise<RotationRecord | Refusal>
}

/**
 * An agent dials anew within moments of a lost tunnel, its back-off at most 5 s: for so long requests wait for its device instead of failing.
 * So it is after the hub's own start, when no tunnel stands yet.
 */
const RETURN_MS = 10_000
/** How long a device whose proxy could not be dialled is reached by its tunnel before its proxy has another try. */
const DETOUR_MS = 600_000

/** The hub's own fleet as a pool's source of devices: told in the same turn of the event loop as everybody else in the hub. */
export class FleetSource implements DeviceSource {
  /** The fleet is known whole: where no device could serve a request now or soon, waiting is no use. */
  readonly mayGrow = false
  readonly #parts: FleetSourceParts
  /** Who waits for the end of a rotation, by its id. */
  readonly #waiting = new Map<string, { resolve: (result: RotationResult) => void; reject: (error: Error) => void }>()
  readonly #since: number
  /** Devices that may be back in a moment, and until when that is hoped. */
  readonly #returning = new Map<string, number>()
  /** Devices whose announced proxy could not be dialled, and until when their tunnel is taken instead. */
  readonly #detours = new Map<string, number>()
  #alarm: NodeJS.Timeout | null = null
  #listener: SourceListener | null = null

  constructor(parts: FleetSourceParts) {
    this.#parts = parts
    this.#since = parts.now()
  }

  start(listener: SourceListener): void {
    const { fleet, events } = this.#parts
    this.#listener = listener
    const adopted = [...fleet.all].filter((device) => !isPending(device))
    listener.onSnapshot(adopted.map((device) => this.#record(device)))
    for (const { rotation } of adopted) if (rotation) this.#tell({ type: 'rotation', rotation })
    events.on('event', this.#tell)
  }

  /** The device's proxy could not be dialled. Where it has a tunnel, that is taken from now on. */
  noteUndialable(id: string): void {
    const device = this.#parts.fleet.find(id)
    if (!device?.tunnel?.isConnected || device.proxyUrl === null || this.#isOnDetour(id)) return
    this.#detours.set(id, this.#parts.now() + DETOUR_MS)
    this.#listener?.onDevice(this.#record(device))
  }

  async rotate(id: string, trigger: RotationWish['trigger']): Promise<RotationResult> {
    const device = this.#parts.fleet.find(id)
    if (!device) throw refused({ code: 'not_found', detail: `There is no device ${id}.` })
    const asked = await this.#parts.rotate(device, { trigger })
    if ('code' in asked) throw refused(asked)
    if (isFinal(asked.state)) return resultOf(asked)
    return new Promise((resolve, reject) => this.#waiting.set(asked.id, { resolve, reject }))
  }

  async close(): Promise<void> {
    this.#parts.events.off('event', this.#tell)
    if (this.#alarm) clearTimeout(this.#alarm)
    const ended: HubError = refused({ code: 'not_found', detail: 'The hub stops.' })
    for (const { reject } of this.#waiting.values()) reject(ended)
    this.#waiting.clear()
  }

  readonly #tell = (event: FleetEvent): void => {
    const listener = this.#listener
    if (!listener) return
    if (event.type === 'device') {
      if (isPending(event.device)) listener.onDeviceRemoved(event.device.id)
      else listener.onDevice(this.#record(event.device))
    } else if (event.type === 'device_removed') {
      this.#detours.delete(event.id)
      listener.onDeviceRemoved(event.id)
    } else if (event.type === 'ip_changed') listener.onExitIp(event.id, event.newIp)
    else if (event.type === 'rotation') {
      const { rotation } = event
      if (rotation.state === 'queued') listener.onRotationWaiting(rotation.deviceId)
      else if (!isFinal(rotation.state)) listener.onRotationRunning(rotation.deviceId)
      else {
        const result = resultOf(rotation)
        listener.onRotationEnd(result)
        this.#waiting.get(rotation.id)?.resolve(result)
        this.#waiting.delete(rotation.id)
      }
    }
  }

  #record(device: Device): DeviceRecord {
    const status = this.#parts.fleet.status(device)
    const { concurrency, requestsPerMinute } = device
    const byTunnel = device.tunnel?.isConnected === true && (device.proxyUrl === null || this.#isOnDetour(device.id))
    return {
      id: device.id,
      name: device.name,
      proxyUrl: byTunnel ? TUNNEL_URL : device.proxyUrl,
      exitIp: exitOf(device)?.current ?? null,
      isOnline: isUp(status),
      isReturning: this.#isReturning(device, isUp(status)),
      isRotating: status === 'rotating',
      weight: device.weight,
      tags: device.tags,
      operator: device.operator,
      region: device.region,
      type: device.deviceType,
      tunnel: byTunnel ? 'always' : 'auto',
      ...(concurrency === null && requestsPerMinute === null
        ? {}
        : { limits: { concurrency: concurrency ?? undefined, requestsPerMinute: requestsPerMinute ?? undefined } }),
    }
  }

  #isOnDetour(id: string): boolean {
    const until = this.#detours.get(id)
    if (until === undefined) return false
    if (until > this.#parts.now()) return true
    this.#detours.delete(id)
    return false
  }

  /** Whether its tunnel, the only way to it, is about to be dialled anew. */
  #isReturning(device: Device, isHeard: boolean): boolean {
    // A rotation takes the tunnel with it: what counts is its end.
    const from = Math.max(device.tunnel?.since ?? this.#since, device.lastRotation?.endedAt ?? 0)
    const until = from + RETURN_MS
    const hopes = isHeard && device.kind === 'agent' && device.proxyUrl === null && !device.tunnel?.isConnected && until > this.#parts.now()
    if (!hopes) {
      this.#returning.delete(device.id)
      return false
    }
    this.#returning.set(device.id, until)
    this.#alarm ??= setTimeout(() => this.#giveUp(), until - this.#parts.now()).unref()
    return true
  }

  /** Tells of those whose time is over, and looks again when the next one's is. */
  #giveUp(): void {
    this.#alarm = null
    let next = Number.POSITIVE_INFINITY
    for (const [id, until] of [...this.#returning]) {
      const device = this.#parts.fleet.find(id)
      if (until > this.#parts.now()) next = Math.min(next, until)
      else if (device) this.#listener?.onDevice(this.#record(device))
      else this.#returning.delete(id)
    }
    if (next < Number.POSITIVE_INFINITY) this.#alarm ??= setTimeout(() => this.#giveUp(), next - this.#parts.now()).unref()
  }
}

function resultOf(rotation: RotationRecord): RotationResult {
  const { deviceId, deviceName: device, state, trigger, oldIp, newIp, createdAt, endedAt, reason, detail } = rotation
  if (!isFinal(state)) throw new Error('it is not over')
  const why = { ...(reason === null ? {} : { reason }), ...(detail === null ? {} : { detail }) }
  return { deviceId, device, outcome: state, trigger, oldIp, newIp, durationMs: (endedAt ?? createdAt) - createdAt, ...why }
}
