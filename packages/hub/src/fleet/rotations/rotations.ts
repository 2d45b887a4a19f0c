import { setTimeout as delay } from 'node:timers/promises'
import { type AgentCommandJson, type CommandReportJson, isFinal } from '@mobilepool/sdk/contract'
import type { Logger } from 'pino'
import type { Refusal } from '../../errors.ts'
import type { RotationRecord, SeenBefore, Store } from '../../store/index.ts'
import { addressFamily } from '../address.ts'
import { type Device, exitOf } from '../device.ts'
import type { FleetEvents } from '../events.ts'
import { addressesOf, compareExit } from '../exit-ip.ts'
import type { Fleet } from '../fleet.ts'
import { askForRotations, type RotationWish } from './asks.ts'
import { attemptTimeMs } from './attempt-time.ts'
import { beginAttempt } from './attempts.ts'
import type { CallRuns } from './call/call-runs.ts'
import { LATE_CHANGE } from './call/run-call.ts'
import { executorOf } from './executor.ts'
import { Ledger, type Run } from './ledger.ts'
import { type Asker, Orders } from './orders.ts'
import { applyReport, end, expire, rotationSlots } from './rotation.ts'

/** An attempt whose deadline passed while the hub was away: its agent gets this long to deliver its report. */
const GRACE_AFTER_START_MS = 15_000
/** A rotation by URL ends itself at its deadline; this check is behind it. */
const CALL_SLACK_MS = 10_000
/** Why a rotation ends when its device is taken out of service. */
export const IN_MAINTENANCE = 'The device was put into maintenance.'
/** Between two looks of somebody who waits for an outcome. */
const FOLLOW_EVERY_MS = 100

export interface RotationOptions {
  minIntervalMs: number
  /** Share of the fleet that may be away at once. */
  maxParallel: number
  /** Of one attempt, where the device has no `rotation_max_time`. */
  timeoutMs: number
  drainMs: number
  /** Of one rotation, where the device has no `rotation_attempts`. */
  attempts: number
  /** Between two attempts, where the device has no `rotation_retry_delay`. */
  retryDelayMs: number
  /** How long a rotation waits for a device that is offline. */
  offlineWaitMs: number
}

export interface RotationParts {
  fleet: Fleet
  store: Pick<Store, 'rotations'>
  events: FleetEvents
  log: Logger
  now: () => number
  newId: () => string
  /** Rotates devices that have a rotation URL. */
  calls: CallRuns
}

/**
 * The rotations under way: asks, turns, orders, reports, attempts, deadlines.
 * A hub that is killed at any moment goes on where it was.
 */
export class Rotations {
  readonly #options: RotationOptions
  readonly #parts: RotationParts
  readonly #orders: Orders
  readonly #ledger: Ledger
  #granting: Promise<void> | null = null
  /** Calls that were under way when the hub last stopped; they wait for it to listen, since devices are probed with its help. */
  #left: [Device, Run][] = []

  private constructor(options: RotationOptions, parts: RotationParts) {
    this.#options = options
    this.#parts = parts
    this.#orders = new Orders(parts.now)
    this.#ledger = new Ledger({
      ...parts,
      retryDelayMs: options.retryDelayMs,
      onAttemptEnd: (id, attemptId) => this.#release(id, attemptId),
    })
  }

  /** Takes up the rotations that were under way when the hub last stopped. @throws HubError `database_down` */
  static async load(options: RotationOptions, parts: RotationParts): Promise<Rotations> {
    const rotations = new Rotations(options, parts)
    const graceUntil = parts.now() + GRACE_AFTER_START_MS
    for (const { rotation, attempt } of await parts.store.rotations.running()) {
      const device = parts.fleet.find(rotation.deviceId)
      if (!device) continue
      const deadlineAt = rotation.deadlineAt === null ? null : Math.max(rotation.deadlineAt, graceUntil)
      const resumed = { ...rotation, deadlineAt }
      const run = attempt && { attempt }
      rotations.#ledger.resume(device, resumed, run)
      // The hub was killed between the one write and the other.
      if (device.maintenance) await rotations.cancel(device, IN_MAINTENANCE)
      else if (run && attempt.endedAt === null && executorOf(device, rotation.requestedMethod) === 'hub')
        rotations.#left.push([device, run])
    }
    return rotations
  }

  /** Asks for a rotation of a device; it waits for its turn where too many are away. @throws HubError `database_down` */
  async request(device: Device, wish: RotationWish): Promise<RotationRecord | Refusal> {
    const [answer] = await this.requestAll([device], wish)
    if (!answer) throw new Error('one device, one answer')
    return answer
  }

  /** As `request`, for many devices; their answers in the order of the devices. @throws HubError `database_down` */
  async requestAll(devices: readonly Device[], wish: RotationWish): Promise<(RotationRecord | Refusal)[]> {
    const { minIntervalMs, attempts } = this.#options
    const answers = await askForRotations(devices, wish, { ...this.#parts, ledger: this.#ledger, minIntervalMs, attempts })
    // They are accepted; a turn that cannot be written now is given by the next tick.
    await this.#grant().catch(() => {})
    return answers.map((answer, n) => {
      const running = devices[n]?.rotation
      return 'id' in answer && running?.id === answer.id ? running : answer
    })
  }

  /** The order that waits for a device's agent, as `Orders.next`. */
  async order(asker: Asker): Promise<AgentCommandJson | null> {
    const ordered = (): { device: Device; rotation: RotationRecord; id: string } | null => {
      const device = this.#parts.fleet.find(asker.deviceId)
      const rotation = device?.rotation
      if (!device || !rotation || rotation.state === 'queued' || this.#parts.calls.has(rotation.id)) return null
      const run = this.#ledger.runOf(rotation.id)
      return run && { device, rotation, id: run.attempt.id }
    }
    const id = await this.#orders.next(asker, () => ordered()?.id ?? null)
    const order = ordered()
    if (id === null || order?.id !== id || order.rotation.deadlineAt === null) return null
    return {
      id,
      type: 'rotate',
      method: order.rotation.requestedMethod ?? order.device.rotationMethod,
      drain_ms: this.#options.drainMs,
      deadline_at: new Date(order.rotation.deadlineAt).toISOString(),
    }
  }

  /** An agent's report on an order of its own device; null when there is no such order. @throws HubError `database_down` */
  async report(device: Device, orderId: string, report: CommandReportJson, seenIp: string): Promise<RotationRecord | null> {
    const id = device.rotation?.id
    if (id === undefined || this.#ledger.runOf(id)?.attempt.id !== orderId) return this.#known(device, orderId)
    return this.#ledger.inTurn(id, async () => {
      const current = device.rotation
      const run = this.#ledger.runOf(id)
      if (current?.id !== id || current.state === 'queued' || run?.attempt.id !== orderId) return this.#known(device, orderId)
      const { rotation, before } = applyReport(current, run.attempt.before, report, seenIp, this.#parts.now())
      if (isFinal(rotation.state)) return this.#ledger.settle(device, rotation)
      const isNews = rotation.state !== current.state || rotation.method !== current.method || rotation.oldIp !== current.oldIp
      if (isNews || before !== run.attempt.before) await this.#ledger.advance(device, rotation, { before })
      return rotation
    })
  }

  /**
   * Ends a device's rotation because the device is taken away from it, or nobody wants it any more; `isMeant` says which.
   * Returns the rotation as it is then; null where there was none. @throws HubError `database_down`
   */
  async cancel(
    device: Device,
    detail: string,
    isMeant: (rotation: RotationRecord) => boolean = () => true,
  ): Promise<RotationRecord | null> {
    const id = device.rotation?.id
    if (id === undefined) return null
    return this.#ledger.inTurn(id, async () => {
      const current = device.rotation
      if (current?.id !== id || !isMeant(current)) return current
      return this.#ledger.close(device, end(current, 'failed', this.#parts.now(), { reason: 'canceled', detail }))
    })
  }

  /** Ends those that wait and are meant; returns how many. @throws HubError `database_down` */
  async cancelQueued(isMeant: (rotation: RotationRecord) => boolean, detail: string): Promise<number> {
    const isQueued = (rotation: RotationRecord): boolean => rotation.state === 'queued' && isMeant(rotation)
    let canceled = 0
    for (const device of [...this.#ledger.turns.waiting]) {
      if (!device.rotation || !isQueued(device.rotation)) continue
      const ended = await this.cancel(device, detail, isQueued)
      if (ended?.reason === 'canceled') canceled += 1
    }
    return canceled
  }

  /** The rotation as it is when it has ended, or after `waitMs`, or when nobody waits any more. @throws HubError `database_down` */
  async follow(device: Device, rotation: RotationRecord, waitMs: number, gone: AbortSignal): Promise<RotationRecord> {
    const until = this.#parts.now() + waitMs
    while (device.rotation?.id === rotation.id && this.#parts.now() < until && !gone.aborted)
      await delay(Math.min(FOLLOW_EVERY_MS, Math.max(1, until - this.#parts.now())), undefined, { signal: gone }).catch(() => {})
    if (device.rotation?.id === rotation.id) return device.rotation
    return (await this.#parts.store.rotations.byId(rotation.id)) ?? rotation
  }

  /** A device was removed, its rotations with it. */
  forget(device: Device): void {
    this.#ledger.drop(device)
  }

  /** Once a second, from when the hub listens: takes up what a restart left, ends what has passed its deadline, and gives waiting ones their turn. */
  tick(): void {
    const now = this.#parts.now()
    const { calls } = this.#parts
    const ledger = this.#ledger
    for (const [device, run] of this.#left.splice(0))
      if (device.rotation?.id === run.attempt.rotationId) this.#call(device, device.rotation, run)
    for (const device of ledger.turns.away) {
      const judge = (rotation: RotationRecord) => expire(rotation, calls.has(rotation.id) ? now - CALL_SLACK_MS : now)
      this.#endWhere(device, judge, (ended) => ledger.settle(device, ended))
    }
    for (const device of ledger.turns.waiting) {
      const judge = (rotation: RotationRecord) => this.#giveUpOffline(device, rotation, now)
      this.#endWhere(device, judge, (ended) => ledger.close(device, ended))
    }
    this.#ledger.background(this.#grant())
  }

  /** Ends the agents' polls and the calls, and waits for the steps under way. */
  async close(): Promise<void> {
    this.#orders.close()
    await this.#parts.calls.close()
    await Promise.allSettled([this.#ledger.idle(), this.#granting])
  }

  /** An order that is over. */
  async #known(device: Device, orderId: string): Promise<RotationRecord | null> {
    const { rotations } = this.#parts.store
    const ended = (await rotations.byAttempt(orderId)) ?? (await rotations.byId(orderId))
    return ended?.deviceId === device.id ? ended : null
  }

  /** An attempt is over, and its place free. */
  #release(id: string, attemptId: string): void {
    this.#parts.calls.stop(id)
    this.#orders.forget(attemptId)
    this.#ledger.background(this.#grant())
  }

  #endWhere(
    device: Device,
    judge: (rotation: RotationRecord) => RotationRecord | null,
    end: (ended: RotationRecord) => Promise<unknown>,
  ): void {
    const id = device.rotation?.id
    if (id === undefined || !device.rotation || !judge(device.rotation) || this.#ledger.isBusy(id)) return
    const step = async (): Promise<void> => {
      const ended = device.rotation?.id === id ? judge(device.rotation) : null
      if (ended) await end(ended)
    }
    this.#ledger.background(this.#ledger.inTurn(id, step))
  }

  #giveUpOffline(device: Device, rotation: RotationRecord, now: number): RotationRecord | null {
    const since = Math.max(rotation.createdAt, rotation.notBefore ?? 0, device.lastHeartbeat ?? 0)
    if (now - since < this.#options.offlineWaitMs || this.#mayTake(device, rotation)) return null
    const detail = `The device has been offline for ${Math.round((now - since) / 1000)} s, and the rotation waited for it.`
    return end(rotation, 'failed', now, { reason: 'device_unreachable', detail })
  }

  /** An agent that is offline can take no order, and must not hold a place; a URL may bring its device back. */
  #mayTake(device: Device, rotation: RotationRecord): boolean {
    return executorOf(device, rotation.requestedMethod) === 'hub' || this.#parts.fleet.status(device) !== 'offline'
  }

  /** Gives as many waiting rotations their turn as there are places, the oldest first; one run at a time. */
  #grant(): Promise<void> {
    const { fleet, now } = this.#parts
    const places = (): number => rotationSlots(fleet.adoptedCount, this.#options.maxParallel)
    const mayGo = (device: Device): boolean =>
      device.rotation?.state === 'queued' && now() >= (device.rotation.notBefore ?? 0) && this.#mayTake(device, device.rotation)
    this.#granting ??= this.#ledger.turns
      .grant(places, mayGo, (device) => this.#begin(device))
      .finally(() => {
        this.#granting = null
      })
    return this.#granting
  }

  async #begin(device: Device): Promise<void> {
    const id = device.rotation?.id
    if (id === undefined) return
    await this.#ledger.inTurn(id, async () => {
      const waiting = device.rotation
      if (waiting?.id !== id || waiting.state !== 'queued') return
      const { now, newId } = this.#parts
      const exit = exitOf(device)?.current ?? null
      const earlier = this.#ledger.runOf(id)
      const isRetry = earlier !== null && waiting.newIp === null
      if (isRetry && exit !== null && compareExit(earlier.attempt.before, exit) === 'different') {
        await this.#ledger.settle(device, end(waiting, 'changed', now(), { newIp: exit, detail: LATE_CHANGE }))
        return
      }
      const executor = executorOf(device, waiting.requestedMethod)
      if (executor === null) {
        const detail = 'Nobody can rotate the device any more: its method or its rotation_url was taken away.'
        await this.#ledger.settle(device, end(waiting, 'failed', now(), { reason: 'unsupported', detail }))
        return
      }
      const isMeasurable = this.#parts.calls.isMeasurable(device)
      const { timeoutMs } = this.#options
      const maxTimeMs = attemptTimeMs(device, { requested: waiting.requestedMethod, timeoutMs, executor, isMeasurable })
      const before = isRetry ? earlier.attempt.before : seenBefore(device, waiting.newIp)
      const { rotation, attempt } = beginAttempt(waiting, exit, now(), { maxTimeMs, before, newId })
      const run = { attempt }
      await this.#ledger.begin(device, rotation, run)
      if (executor === 'hub') this.#call(device, rotation, run)
      else this.#orders.announce(device.id)
    })
  }

  /** Rotates the device by its URL, from the step at which the rotation is. */
  #call(device: Device, rotation: RotationRecord, run: Run): void {
    const { id } = rotation
    const inTurn = (work: (current: RotationRecord) => Promise<unknown>): Promise<void> =>
      this.#ledger.inTurn(id, async () => {
        const current = device.rotation
        const isOurs = current?.id === id && this.#ledger.runOf(id)?.attempt.id === run.attempt.id
        if (isOurs && run.attempt.endedAt === null) await work(current)
      })
    this.#parts.calls.start({
      device,
      rotation,
      attempt: run.attempt,
      drainMs: this.#options.drainMs,
      advance: (change, known) => inTurn((current) => this.#ledger.advance(device, { ...current, method: 'api_call', ...change }, known)),
      end: ({ state, waitMs, ...over }) =>
        inTurn((current) => this.#ledger.settle(device, end(current, state, this.#parts.now(), { method: 'api_call', ...over }), waitMs)),
    })
  }
}

/** What is known of a device's addresses; the one that the rotation has found already may not have been written for the device yet. */
function seenBefore({ exits }: Device, found: string | null): SeenBefore {
  return { ...addressesOf(exits), ...(found === null ? {} : { [addressFamily(found)]: found }), probed: null }
}
