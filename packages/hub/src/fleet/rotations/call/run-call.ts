import type { RotationFailure, RotationOutcome } from '@mobilepool/sdk/contract'
import { type AttemptRecord, isDatabaseDown, type RotationRecord, type SeenBefore } from '../../../store/index.ts'
import type { Device } from '../../device.ts'
import { readAnswer } from './call-answer.ts'
import { callRequest } from './call-request.ts'
import type { CallParts } from './call-runs.ts'
import { compareProbed, findChange, withoutChange } from './evidence.ts'
import { secretsOf } from './secrets.ts'

/** Synchronous boxes answer when the modem is back (reference/device-control.md 1.8). */
const LONGEST_CALL_MS = 45_000
/** Between two looks at the exit IP. */
const LOOK_EVERY_MS = 1_000
/** What ends a rotation whose IP changed between two attempts. */
export const LATE_CHANGE = 'The IP changed after the attempt had been given up.'
/** Before a write is tried again while the database is away. */
const WRITE_AGAIN_MS = 1_000

/** How an attempt ended. */
interface CallEnd {
  state: RotationOutcome
  newIp?: string
  reason?: RotationFailure
  detail: string | null
  /** How long the provider asks to wait before the next one, ms. */
  waitMs: number | null
}

/** One attempt of a rotation, as its caller hands it over. */
export interface CallPort {
  device: Device
  rotation: RotationRecord
  attempt: AttemptRecord
  drainMs: number
  /** Writes the next step, and what is known of the attempt by then. @throws HubError `database_down` */
  advance: (
    change: Pick<RotationRecord, 'state'> & Partial<Pick<RotationRecord, 'oldIp'>>,
    known?: Partial<Pick<AttemptRecord, 'before' | 'calledAt'>>,
  ) => Promise<void>
  /** Ends the attempt. @throws HubError `database_down` */
  end: (end: CallEnd) => Promise<void>
}

/**
 * Rotates a device by its URL: drain, look at the exit IP, call, then look until another IP shows or time is up.
 * Taken up after a restart it goes on at its step; a call that may have been made is not made again.
 */
export async function runCall(port: CallPort, parts: CallParts, stop: AbortSignal): Promise<void> {
  const run = new CallRun(port, parts, stop)
  const { state } = port.rotation
  if (state !== 'draining') return run.verify('The hub was restarted during this rotation.')
  if (await run.drain()) return
  const remark = await run.call()
  if (remark !== undefined) await run.verify(remark)
}

class CallRun {
  readonly #port: CallPort
  readonly #parts: CallParts
  readonly #stop: AbortSignal
  readonly #deadlineAt: number
  #before: SeenBefore
  #calledAt: number

  constructor(port: CallPort, parts: CallParts, stop: AbortSignal) {
    this.#port = port
    this.#parts = parts
    this.#stop = stop
    const { rotation, attempt } = port
    this.#deadlineAt = rotation.deadlineAt ?? parts.now()
    this.#before = attempt.before
    this.#calledAt = attempt.calledAt ?? attempt.startedAt
  }

  /** Lets requests under way finish, and measures the exit IP meanwhile. True: it has changed since an earlier attempt, and this one has ended. */
  async drain(): Promise<boolean> {
    const { device, drainMs } = this.#port
    const [probed] = await Promise.all([this.#parts.probe(device, this.#stop), this.#sleep(Math.min(drainMs, this.#leftMs() / 2))])
    if (probed !== null && compareProbed(this.#before, probed) === 'changed') {
      this.#parts.see(device, probed)
      await this.#end({ state: 'changed', newIp: probed, detail: LATE_CHANGE, waitMs: null })
      return true
    }
    this.#before = { ...this.#before, probed: probed ?? this.#before.probed }
    if (probed !== null && device.lastHeartbeat === null) this.#parts.see(device, probed)
    return false
  }

  /** Calls the URL. Undefined: the attempt has ended; else what was odd about the answer, if anything. */
  async call(): Promise<string | null | undefined> {
    const { device, rotation } = this.#port
    const request = callRequest(device, Math.max(1, Math.min(LONGEST_CALL_MS, this.#leftMs() / 2)))
    if (request === null) {
      await this.#end({ state: 'failed', reason: 'unsupported', detail: 'The device has no rotation_url any more.', waitMs: null })
      return undefined
    }
    // The first attempt's address is the rotation's; what is measured through the proxy goes before what a heartbeat said.
    const measured = rotation.attempt === 1 && this.#before.probed !== null ? { oldIp: this.#before.probed } : {}
    const calledAt = this.#parts.now()
    this.#calledAt = calledAt
    // Written before it is called: whoever takes this up later must not call again what may have been called.
    await this.#write(() => this.#port.advance({ state: 'rotating', ...measured }, { before: this.#before, calledAt }))
    const result = await this.#parts.send({ ...request, signal: this.#stop })
    this.#stop.throwIfAborted()
    const verdict = readAnswer(result, {
      successPattern: device.rotationSuccessPattern,
      secrets: secretsOf(device, request.url),
      now: this.#parts.now(),
    })
    if (verdict.kind === 'accepted') return verdict.remark
    const waitMs = verdict.kind === 'wait' ? verdict.waitMs : null
    await this.#end({ state: 'failed', reason: verdict.reason, detail: verdict.detail, waitMs })
    return undefined
  }

  /** Looks at the exit IP until another one shows, or time is up. Only what was seen counts. */
  async verify(remark: string | null): Promise<void> {
    const { device } = this.#port
    await this.#write(() => this.#port.advance({ state: 'verifying' }))
    let lastSame: string | null = null
    for (;;) {
      const probed = await this.#parts.probe(
        device,
        AbortSignal.any([this.#stop, AbortSignal.timeout(Math.ceil(Math.max(1, this.#leftMs())))]),
      )
      this.#stop.throwIfAborted()
      const found = findChange(this.#before, { heard: device.exits, probed }, this.#calledAt)
      if (found.outcome === 'changed' && found.ip !== null) {
        this.#parts.see(device, found.ip)
        return this.#end({ state: 'changed', newIp: found.ip, detail: null, waitMs: null })
      }
      const isOver = this.#leftMs() <= 0
      if (found.outcome === 'same') lastSame = found.ip
      // It has gone away since it was seen unchanged; a look that the deadline cut off says nothing.
      else if (probed === null && !isOver && this.#parts.isMeasurable(device)) lastSame = null
      if (isOver) break
      await this.#sleep(Math.min(LOOK_EVERY_MS, this.#leftMs()))
    }
    await this.#end({ ...withoutChange(lastSame, this.#parts.isMeasurable(device), remark), waitMs: null })
  }

  #leftMs(): number {
    return this.#deadlineAt - this.#parts.now()
  }

  #end(end: CallEnd): Promise<void> {
    return this.#write(() => this.#port.end(end))
  }

  /** A database that is away for a moment must not lose a step. */
  async #write(write: () => Promise<void>): Promise<void> {
    for (;;) {
      this.#stop.throwIfAborted()
      try {
        return await write()
      } catch (error) {
        if (!isDatabaseDown(error)) throw error
        await this.#sleep(WRITE_AGAIN_MS)
      }
    }
  }

  async #sleep(ms: number): Promise<void> {
    await this.#parts.sleep(Math.max(0, ms), this.#stop)
  }
}
