import type { Device } from '../core/device.ts'
import type { JudgedAttempt } from '../core/judge.ts'
import type { ExitMemory } from '../core/quarantine.ts'
import type { AttemptKind, AttemptReport, Phase } from '../errors.ts'

export interface AttemptDetails {
  readonly statusCode?: number
  readonly errno?: string
  readonly rule?: string
}

const NO_DETAILS: AttemptDetails = {}

const byStatus = new Map<number, AttemptDetails>()

/** That this status came; one object for all attempts that got it. */
export function statusDetails(statusCode: number): AttemptDetails {
  const known = byStatus.get(statusCode)
  if (known !== undefined) return known
  const details = { statusCode }
  byStatus.set(statusCode, details)
  return details
}

/** What is known of one attempt on one device: where it went, and what it came to. */
export class DeviceAttempt implements JudgedAttempt {
  readonly device: Device
  readonly exit: ExitMemory
  readonly exitIp: string | null
  kind: AttemptKind = 'answered'
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** Bytes of the response body that came, as they are on the wire. */
  bytesIn = 0
  /** Bytes of the request body, once it began to be sent. */
  bytesOut = 0
  /** From its start to what it came to: for an answer, to its head. */
  durationMs = 0
  readonly #timer: { now(): number }
  #phase: Phase = 'response'
  #details: AttemptDetails = NO_DETAILS
  #isConcluded: boolean = false
  #report: AttemptReport | null = null

  constructor(device: Device, timer: { now(): number }) {
    this.device = device
    this.exit = device.exit
    this.exitIp = device.exitIp
    this.#timer = timer
    this.startedAt = timer.now()
  }

  /** What it came to. */
  conclude(kind: AttemptKind, phase: Phase, details: AttemptDetails = NO_DETAILS): void {
    this.kind = kind
    this.durationMs = Math.round(this.#timer.now() - this.startedAt)
    this.#phase = phase
    this.#details = details
    this.#isConcluded = true
    this.#report = null
  }

  /** Our own time limits and the operating system's have the same code. */
  get hasTimedOut(): boolean {
    return this.#details.errno === 'ETIMEDOUT'
  }

  /** What it came to, for errors, events and records; made when somebody asks, which is seldom. */
  get report(): AttemptReport {
    if (!this.#isConcluded) this.conclude(this.kind, 'response')
    const { device, exitIp, kind, durationMs } = this
    this.#report ??= { deviceId: device.id, device: device.facts.name, exitIp, kind, phase: this.#phase, durationMs, ...this.#details }
    return this.#report
  }
}
