import type { Device } from '../core/device.ts'
import type { JudgedAttempt } from '../core/judge.ts'
import type { ExitMemory } from '../core/quarantine.ts'
import type { AttemptKind, AttemptReport, Phase } from '../errors.ts'

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
  readonly #now: () => number
  #report: AttemptReport | null = null

  constructor(device: Device, now: () => number) {
    this.device = device
    this.exit = device.exit
    this.exitIp = device.exitIp
    this.#now = now
    this.startedAt = now()
  }

  /** What it came to, for errors and events; kept once it is known. */
  conclude(kind: AttemptKind, phase: Phase, details: { statusCode?: number; errno?: string; rule?: string } = {}): AttemptReport {
    this.kind = kind
    const { device, exitIp } = this
    this.#report = {
      deviceId: device.id,
      device: device.facts.name,
      exitIp,
      kind,
      phase,
      durationMs: Math.round(this.#now() - this.startedAt),
      ...details,
    }
    return this.#report
  }

  get report(): AttemptReport {
    return this.#report ?? this.conclude(this.kind, 'response')
  }
}
