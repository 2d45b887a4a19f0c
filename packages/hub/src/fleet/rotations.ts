import { type AgentCommandJson, type CommandReportJson, isFinal, type RotationMethod, type RotationTrigger } from '@mobilepool/sdk/contract'
import type { Logger } from 'pino'
import type { Refusal } from '../errors.ts'
import { isDatabaseDown, type RotationRecord, type Store } from '../store/index.ts'
import { type Device, exitOf } from './device.ts'
import type { FleetEvents } from './events.ts'
import { type Exits, noExits, seeAddress } from './exit-ip.ts'
import type { Fleet } from './fleet.ts'
import { type Asker, Orders } from './orders.ts'
import { applyReport, end, expire, refuseRotation, rotationSlots, start } from './rotation.ts'

/** A rotation whose deadline passed while the hub was away: its agent gets this long to deliver its report. */
const GRACE_AFTER_START_MS = 15_000

export interface RotationOptions {
  minIntervalMs: number
  /** Share of the fleet that may be away at once. */
  maxParallel: number
  timeoutMs: number
  drainMs: number
}

export interface RotationParts {
  fleet: Fleet
  store: Store
  events: FleetEvents
  log: Logger
  now: () => number
  newId: () => string
}

/** What is asked for. */
export interface RotationWish {
  trigger: RotationTrigger
  method?: RotationMethod | undefined
  comment?: string | undefined
}

/**
 * The rotations under way: asks, turns, orders, reports, deadlines. Each step is in the database before anybody is told,
 * so that a hub that is killed at any moment goes on where it was.
 */
export class Rotations {
  readonly #options: RotationOptions
  readonly #parts: RotationParts
  readonly #orders: Orders
  /** Devices whose rotation waits or runs. */
  readonly #active = new Set<Device>()
  /** Addresses seen of a device before its rotation began, by rotation. */
  readonly #before = new Map<string, Exits>()
  /** Steps of one rotation follow each other. */
  readonly #turns = new Map<string, Promise<unknown>>()
  #granting: Promise<void> | null = null

  private constructor(options: RotationOptions, parts: RotationParts) {
    this.#options = options
    this.#parts = parts
    this.#orders = new Orders(parts.now)
  }

  /** Takes up the rotations that were under way when the hub last stopped. @throws HubError `database_down` */
  static async load(options: RotationOptions, parts: RotationParts): Promise<Rotations> {
    const rotations = new Rotations(options, parts)
    const graceUntil = parts.now() + GRACE_AFTER_START_MS
    for (const rotation of await parts.store.rotations.running()) {
      const device = parts.fleet.find(rotation.deviceId)
      if (!device) continue
      const deadlineAt = rotation.deadlineAt === null ? null : Math.max(rotation.deadlineAt, graceUntil)
      device.rotation = { ...rotation, deadlineAt }
      rotations.#active.add(device)
      rotations.#before.set(rotation.id, seenBefore(rotation))
    }
    return rotations
  }

  /** Asks for a rotation of a device; it waits for its turn where too many are away. @throws HubError `database_down` */
  async request(device: Device, wish: RotationWish): Promise<RotationRecord | Refusal> {
    const { now, newId, store } = this.#parts
    const at = now()
    const refusal = refuseRotation(device, wish.method ?? null, at, this.#options.minIntervalMs)
    if (refusal) return refusal
    const rotation: RotationRecord = {
      id: newId(),
      deviceId: device.id,
      deviceName: device.name,
      trigger: wish.trigger,
      requestedMethod: wish.method ?? null,
      method: null,
      state: 'queued',
      oldIp: exitOf(device)?.current ?? null,
      newIp: null,
      reason: null,
      detail: null,
      comment: wish.comment ?? null,
      createdAt: at,
      startedAt: null,
      deadlineAt: null,
      endedAt: null,
    }
    // Taken before the write, so that a second request does not slip in meanwhile.
    device.rotation = rotation
    const isCreated = await store.rotations.create(rotation).catch((error: unknown) => {
      device.rotation = null
      throw error
    })
    if (!isCreated) {
      device.rotation = null
      return { code: 'rotation_running', detail: `${device.name} has a rotation under way, asked for at another hub.` }
    }
    this.#active.add(device)
    this.#tell(device, rotation)
    // It is accepted; a turn that cannot be written now is given by the next tick.
    await this.#grant().catch(() => {})
    return device.rotation ?? rotation
  }

  /** The order that waits for a device's agent, as `Orders.next`. */
  async order(asker: Asker): Promise<AgentCommandJson | null> {
    const device = (): Device | null => this.#parts.fleet.find(asker.deviceId)
    const rotation = await this.#orders.next(asker, () => {
      const running = device()?.rotation ?? null
      return running && running.state !== 'queued' ? running : null
    })
    if (!rotation || rotation.deadlineAt === null) return null
    return {
      id: rotation.id,
      type: 'rotate',
      method: rotation.requestedMethod ?? device()?.rotationMethod ?? null,
      drain_ms: this.#options.drainMs,
      deadline_at: new Date(rotation.deadlineAt).toISOString(),
    }
  }

  /** An agent's report on an order of its own device; null when there is no such order. @throws HubError `database_down` */
  async report(device: Device, id: string, report: CommandReportJson, seenIp: string): Promise<RotationRecord | null> {
    const running = device.rotation
    if (running?.id !== id || running.state === 'queued') {
      const ended = await this.#parts.store.rotations.byId(id)
      return ended?.deviceId === device.id ? ended : null
    }
    return this.#inTurn(id, async () => {
      const current = device.rotation
      if (current?.id !== id) return this.#parts.store.rotations.byId(id)
      const before = this.#before.get(id) ?? noExits
      const result = applyReport(current, before, report, seenIp, this.#parts.now())
      this.#before.set(id, result.before)
      if (result.rotation.state !== current.state || result.rotation.method !== current.method) await this.#step(device, result.rotation)
      return result.rotation
    })
  }

  /** Ends a device's rotation because the device is taken away from it. @throws HubError `database_down` */
  async cancel(device: Device, detail: string): Promise<void> {
    const id = device.rotation?.id
    if (id === undefined) return
    await this.#inTurn(id, async () => {
      if (device.rotation?.id === id)
        await this.#step(device, end(device.rotation, 'failed', this.#parts.now(), { reason: 'canceled', detail }))
    })
  }

  /** A device was removed, its rotations with it. */
  forget(device: Device): void {
    this.#active.delete(device)
    if (!device.rotation) return
    this.#before.delete(device.rotation.id)
    this.#orders.forget(device.rotation.id)
    device.rotation = null
  }

  /** Once a second: ends what has passed its deadline, and gives waiting ones their turn. */
  tick(): void {
    const now = this.#parts.now()
    for (const device of this.#active) {
      const rotation = device.rotation
      if (!rotation || !expire(rotation, now) || this.#turns.has(rotation.id)) continue
      this.#background(
        this.#inTurn(rotation.id, async () => {
          const expired = device.rotation?.id === rotation.id ? expire(device.rotation, now) : null
          if (expired) await this.#step(device, expired)
        }),
      )
    }
    this.#background(this.#grant())
  }

  /** Ends the agents' polls and waits for the steps under way. */
  async close(): Promise<void> {
    this.#orders.close()
    await Promise.allSettled([...this.#turns.values(), this.#granting])
  }

  /** Gives as many waiting rotations their turn as there are places, the oldest first; one run at a time. */
  #grant(): Promise<void> {
    this.#granting ??= this.#grantAll().finally(() => {
      this.#granting = null
    })
    return this.#granting
  }

  async #grantAll(): Promise<void> {
    const { fleet, now } = this.#parts
    for (;;) {
      const active = [...this.#active]
      const away = active.filter(({ rotation }) => rotation && rotation.state !== 'queued').length
      if (away >= rotationSlots(fleet.adoptedCount, this.#options.maxParallel)) return
      // A set keeps the order in which they were asked for.
      const next = active.find(({ rotation }) => rotation?.state === 'queued')
      const waiting = next?.rotation
      if (!next || !waiting) return
      await this.#inTurn(waiting.id, async () => {
        if (next.rotation?.id !== waiting.id || next.rotation.state !== 'queued') return
        this.#before.set(waiting.id, next.exits)
        await this.#step(next, start(waiting, exitOf(next)?.current ?? null, now(), this.#options.timeoutMs))
      })
      this.#orders.announce(next.id)
    }
  }

  /** Writes a rotation's next state, then takes it over and tells. */
  async #step(device: Device, rotation: RotationRecord): Promise<void> {
    await this.#parts.store.rotations.save(rotation)
    device.rotation = rotation
    if (isFinal(rotation.state) && rotation.endedAt !== null) {
      device.rotation = null
      this.#active.delete(device)
      device.rotations = { ...device.rotations, [rotation.state]: device.rotations[rotation.state] + 1 }
      device.lastRotation = {
        outcome: rotation.state,
        trigger: rotation.trigger,
        reason: rotation.reason,
        endedAt: rotation.endedAt,
        durationMs: rotation.endedAt - rotation.createdAt,
      }
      if (rotation.state === 'changed') device.lastIpRotation = rotation.endedAt
      this.#before.delete(rotation.id)
      this.#orders.forget(rotation.id)
      this.#background(this.#grant())
    }
    this.#tell(device, rotation)
  }

  #tell(device: Device, rotation: RotationRecord): void {
    const { log, events, fleet } = this.#parts
    const { state, oldIp, newIp, reason, trigger } = rotation
    const line = { device: device.name, rotation: rotation.id, state, trigger, from: oldIp, to: newIp, reason }
    if (isFinal(state) || state === 'queued') log.info(line, `rotation ${state}`)
    else log.debug(line, `rotation ${state}`)
    events.announce({ type: 'rotation', rotation })
    fleet.changed(device)
  }

  #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(work)
    const settled = turn
      .catch(() => {})
      .finally(() => {
        if (this.#turns.get(id) === settled) this.#turns.delete(id)
      })
    this.#turns.set(id, settled)
    return turn
  }

  /** Work of the hub's own: an outage of the database is no news here, the next tick tries again. */
  #background(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!isDatabaseDown(error)) this.#parts.log.error({ err: error }, 'A rotation could not be moved on.')
    })
  }
}

/** After a restart the record alone tells what was seen before. */
const seenBefore = (rotation: RotationRecord): Exits =>
  rotation.oldIp === null ? noExits : seeAddress(noExits, rotation.oldIp, rotation.startedAt ?? rotation.createdAt).exits
