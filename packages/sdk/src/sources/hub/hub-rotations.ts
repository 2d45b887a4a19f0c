import type { Clock } from '../../clock.ts'
import { isFinal, type RotationJson, type RotationOutcome, type RotationTrigger } from '../../contract/index.ts'
import { MobilePoolError } from '../../errors.ts'
import type { RotationResult } from '../../events.ts'
import type { SourceListener } from '../device-source.ts'
import { type HubClient, HubProblem } from './hub-client.ts'
import { pause } from './pause.ts'

/** How often a running rotation is asked after, in case its event was missed. */
const POLL_MS = 5_000
/** The hub promises that no rotation hangs; this is in case it is the hub that does. */
const GIVE_UP_MS = 600_000

export interface HubRotationsParts {
  readonly client: Pick<HubClient, 'rotate' | 'rotation'>
  readonly clock: Clock
  readonly listener: Pick<SourceListener, 'onRotationRunning' | 'onRotationWaiting' | 'onRotationEnd'>
  readonly signal: AbortSignal
}

/** Rotates devices through the hub, and passes on what the hub tells of rotations, whoever asked for them. */
export class HubRotations {
  readonly #parts: HubRotationsParts
  /** Who waits for the end of a rotation, by its id. */
  readonly #waiting = new Map<string, (result: RotationResult) => void>()
  /** The last rotation of each device that ended: its end may be told by an event and by an answer, but counts once. */
  readonly #ended = new Map<string, string>()
  /** How far each device's rotation has come: an answer may be older than an event that came before it. */
  readonly #reached = new Map<string, { readonly id: string; readonly step: number }>()

  constructor(parts: HubRotationsParts) {
    this.#parts = parts
  }

  /** The hub told of a rotation. */
  note(rotation: RotationJson): void {
    const { id, device_id: deviceId, state } = rotation
    if (this.#ended.get(deviceId) === id) return
    if (!isFinal(state)) {
      const reached = this.#reached.get(deviceId)
      const step = stepOf(rotation)
      if (reached?.id === id && reached.step > step) return
      this.#reached.set(deviceId, { id, step })
      if (state === 'queued') this.#parts.listener.onRotationWaiting(deviceId)
      else this.#parts.listener.onRotationRunning(deviceId)
      return
    }
    this.#reached.delete(deviceId)
    const result = toResult(rotation, state)
    this.#ended.set(deviceId, id)
    this.#parts.listener.onRotationEnd(result)
    this.#waiting.get(id)?.(result)
  }

  /** Asks for a rotation and waits for its end. One that runs already is followed instead. */
  async rotate(device: string, trigger: RotationTrigger, unique: string | undefined): Promise<RotationResult> {
    return this.#follow(await this.#begin(device, trigger, unique))
  }

  async #begin(device: string, trigger: RotationTrigger, unique: string | undefined): Promise<string> {
    try {
      return (await this.#parts.client.rotate({ device, trigger, ...(unique === undefined ? {} : { unique }) }, this.#parts.signal)).id
    } catch (error) {
      if (!(error instanceof HubProblem)) throw error
      const { code, rotation_id: running } = error.problem
      if (code === 'rotation_running' && running !== undefined) return running
      throw toError(error)
    }
  }

  /** Waits for the event of its end, and asks now and then in case it was missed. */
  async #follow(id: string): Promise<RotationResult> {
    const { client, clock, signal } = this.#parts
    const over = new AbortController()
    const stop = AbortSignal.any([signal, over.signal])
    const ended = new Promise<RotationResult>((resolve, reject) => {
      this.#waiting.set(id, resolve)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: over.signal })
      if (signal.aborted) reject(signal.reason)
    })
    const ask = async (): Promise<RotationResult> => {
      const giveUpAt = clock.now() + GIVE_UP_MS
      for (;;) {
        const answer = await client.rotation(id, stop).catch((error: unknown) => {
          // Neither a wrong answer nor a refusal is cured by asking again.
          if (!isPassing(error) || clock.now() > giveUpAt) throw error instanceof HubProblem ? toError(error) : error
          return undefined
        })
        if (answer !== undefined) {
          this.note(answer)
          // Told by an event before we waited for it, it would not be told again.
          if (isFinal(answer.state)) return toResult(answer, answer.state)
        }
        await pause(clock, POLL_MS, stop, { keepsProcessAlive: true })
        if (stop.aborted) return await ended
      }
    }
    try {
      return await Promise.race([ended, ask()])
    } finally {
      over.abort()
      this.#waiting.delete(id)
    }
  }
}

/** Grows as a rotation goes on: waiting after attempt n comes after attempt n, and before the next one. A hub that names none makes one attempt. */
const stepOf = ({ attempt, state }: RotationJson): number =>
  attempt === undefined ? Number(state !== 'queued') : attempt * 2 + Number(state === 'queued')

/** Whether the hub may answer later what it does not answer now. */
const isPassing = (error: unknown): boolean =>
  error instanceof HubProblem
    ? error.problem.status >= 500 || error.problem.status === 429
    : error instanceof MobilePoolError && error.code === 'MP_HUB_UNREACHABLE'

function toResult(rotation: RotationJson, outcome: RotationOutcome): RotationResult {
  const {
    device_id: deviceId,
    device_name: device,
    trigger,
    old_ip: oldIp,
    new_ip: newIp,
    duration_ms: durationMs,
    reason,
    detail,
  } = rotation
  const why = { ...(reason === null ? {} : { reason }), ...(detail === null ? {} : { detail }) }
  return { deviceId, device, outcome, trigger, oldIp, newIp, durationMs: durationMs ?? 0, ...why }
}

function toError({ problem: { code, detail, retry_after: retryAfterS, status } }: HubProblem): MobilePoolError {
  const details = { phase: 'rotation' as const, statusCode: status }
  switch (code) {
    case 'rotation_too_soon':
      return new MobilePoolError('MP_ROTATION_TOO_SOON', detail, {
        ...details,
        ...(retryAfterS === undefined ? {} : { retryAfterMs: retryAfterS * 1000 }),
      })
    case 'rotation_unsupported':
      return new MobilePoolError('MP_ROTATION_UNSUPPORTED', detail, details)
    case 'not_found':
      return new MobilePoolError('MP_UNKNOWN_DEVICE', detail, details)
    default:
      return new MobilePoolError('MP_HUB_REFUSED', `the hub did not begin the rotation: ${detail}`, details)
  }
}
