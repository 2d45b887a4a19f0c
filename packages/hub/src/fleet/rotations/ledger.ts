import { isFinal, type RotationOutcome } from '@mobilepool/sdk/contract'
import type { Logger } from 'pino'
import { type AttemptRecord, isDatabaseDown, type RotationRecord, type Store } from '../../store/index.ts'
import type { Device } from '../device.ts'
import type { FleetEvents } from '../events.ts'
import { addressesOf, compareExit } from '../exit-ip.ts'
import type { Fleet } from '../fleet.ts'
import { afterAttempt, endAttempt } from './attempts.ts'
import { durationMs } from './duration.ts'
import { Turns } from './turns.ts'

export interface LedgerParts {
  fleet: Fleet
  store: Pick<Store, 'rotations'>
  events: FleetEvents
  log: Logger
  now: () => number
  /** Between two attempts, where the device has no `rotation_retry_delay`. */
  retryDelayMs: number
  /** An attempt is over: nobody is to act on it any more. */
  onAttemptEnd: (rotationId: string, attemptId: string) => void
}

/** What is known of a rotation that has begun, besides its record. */
export interface Run {
  /** The one that runs, or the last one. */
  attempt: AttemptRecord
}

/** The rotations that have not ended: each step is in the database before anybody is told. */
export class Ledger {
  readonly turns = new Turns()
  readonly #parts: LedgerParts
  /** By rotation. */
  readonly #runs = new Map<string, Run>()
  /** Steps of one rotation follow each other. */
  readonly #steps = new Map<string, Promise<unknown>>()

  constructor(parts: LedgerParts) {
    this.#parts = parts
  }

  /** Null while its first attempt has not begun. */
  runOf(id: string): Run | null {
    return this.#runs.get(id) ?? null
  }

  /** Notes a rotation that ran when the hub stopped. */
  resume(device: Device, rotation: RotationRecord, run: Run | null): void {
    device.rotation = rotation
    if (run) this.#runs.set(rotation.id, run)
    if (rotation.state === 'queued') this.turns.wait(device)
    else this.turns.go(device)
  }

  /** A new rotation is written and waits for its turn. */
  accept(device: Device, rotation: RotationRecord): void {
    this.turns.wait(device)
    this.#tell(device, rotation)
  }

  /** One step of a rotation after the other. */
  inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#steps.get(id) ?? Promise.resolve()).then(work)
    const settled = turn
      .catch(() => {})
      .finally(() => {
        if (this.#steps.get(id) === settled) this.#steps.delete(id)
      })
    this.#steps.set(id, settled)
    return turn
  }

  /** Whether a step of it is being made. */
  isBusy(id: string): boolean {
    return this.#steps.has(id)
  }

  /** An attempt begins. Within the rotation's turn. @throws HubError `database_down`; nothing has changed then */
  async begin(device: Device, rotation: RotationRecord, run: Run): Promise<void> {
    await this.#write(device, rotation, run.attempt)
    this.#runs.set(rotation.id, run)
    this.turns.go(device)
    this.#tell(device, rotation)
  }

  /**
   * An attempt moves on, and more is known of it. Within the rotation's turn.
   * @throws HubError `database_down`; nothing has changed then
   */
  async advance(device: Device, rotation: RotationRecord, known: Partial<AttemptRecord> = {}): Promise<void> {
    const run = this.#runs.get(rotation.id)
    const attempt = run ? { ...run.attempt, ...known } : null
    await this.#write(device, rotation, attempt)
    if (run && attempt) run.attempt = attempt
    this.#tell(device, rotation)
  }

  /**
   * An attempt has ended: so has its rotation, or it waits for another attempt. Within the rotation's turn.
   * @throws HubError `database_down`; nothing has changed then
   */
  async settle(device: Device, ended: RotationRecord, waitMs: number | null = null): Promise<RotationRecord> {
    const running = device.rotation ?? ended
    const retryDelayMs = device.rotationRetryDelay === null ? this.#parts.retryDelayMs : device.rotationRetryDelay * 1000
    const next = afterAttempt(running, ended, { retryDelayMs, waitMs, seenBeforeAt: await this.#seenBefore(device, ended) })
    await this.#endAttempt(device, next, ended)
    return next
  }

  /** The rotation has ended, whatever attempts it had left. Within its turn. @throws HubError `database_down`; nothing has changed then */
  async close(device: Device, ended: RotationRecord): Promise<RotationRecord> {
    await this.#endAttempt(device, ended, ended)
    return ended
  }

  /** The device is gone, and the row of its rotation with it. */
  drop(device: Device): void {
    this.turns.leave(device)
    if (!device.rotation) return
    this.#forget(device.rotation.id)
    device.rotation = null
  }

  /** Work of the hub's own: an outage of the database is no news here, the next tick tries again. */
  background(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!isDatabaseDown(error)) this.#parts.log.error({ err: error }, 'A rotation could not be moved on.')
    })
  }

  /** Waits for the steps under way. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#steps.values())
  }

  async #write(device: Device, rotation: RotationRecord, attempt: AttemptRecord | null): Promise<void> {
    await this.#parts.store.rotations.save(rotation, attempt)
    device.rotation = rotation
  }

  async #endAttempt(device: Device, next: RotationRecord, ended: RotationRecord): Promise<void> {
    const run = this.#runs.get(ended.id)
    const closed = run && run.attempt.endedAt === null ? endAttempt(run.attempt, ended) : null
    await this.#write(device, next, closed)
    if (run && closed) run.attempt = closed
    if (isFinal(next.state)) this.#finish(device, next, next.state)
    else {
      this.turns.wait(device)
      if (run) this.#parts.onAttemptEnd(next.id, run.attempt.id)
    }
    this.#tell(device, next)
  }

  #forget(id: string): void {
    const run = this.#runs.get(id)
    this.#runs.delete(id)
    if (run) this.#parts.onAttemptEnd(id, run.attempt.id)
  }

  #finish(device: Device, rotation: RotationRecord, outcome: RotationOutcome): void {
    const { trigger, reason, createdAt } = rotation
    const endedAt = rotation.endedAt ?? this.#parts.now()
    device.rotation = null
    device.rotations = { ...device.rotations, [outcome]: device.rotations[outcome] + 1 }
    device.lastRotation = { outcome, trigger, reason, endedAt, durationMs: endedAt - createdAt }
    if (outcome === 'changed') device.lastIpRotation = endedAt
    this.turns.leave(device)
    this.#forget(rotation.id)
  }

  /** When the new exit IP was last seen, within the time that the rotation asks for. */
  async #seenBefore(device: Device, { state, newIp, uniqueWithin, createdAt }: RotationRecord): Promise<number | null> {
    if (state !== 'changed' || newIp === null || uniqueWithin === null) return null
    const { fleet, store, now } = this.#parts
    const isElsewhere = fleet.devices.some((other) => other !== device && compareExit(addressesOf(other.exits), newIp) === 'same')
    return isElsewhere ? now() : store.rotations.lastSeen(newIp, now() - durationMs(uniqueWithin), createdAt)
  }

  #tell(device: Device, rotation: RotationRecord): void {
    const { log, events, fleet } = this.#parts
    const { state, oldIp, newIp, reason, trigger, attempt } = rotation
    const line = { device: device.name, rotation: rotation.id, state, trigger, attempt, from: oldIp, to: newIp, reason }
    if (isFinal(state) || state === 'queued') log.info(line, `rotation ${state}`)
    else log.debug(line, `rotation ${state}`)
    events.announce({ type: 'rotation', rotation })
    fleet.changed(device)
  }
}
