import type { Finding } from '../episode.ts'
import type { RuleSettings } from '../rule-settings.ts'
import { inWords } from '../wording.ts'
import { type DeviceMap, deviceSubject, type Firing, whyOver } from './subjects.ts'

/** Steady for so long: it flaps no longer (reference/hub.md 1.5). */
const STEADY_MS = 1_800_000
/** Changes remembered of one device: the most that a threshold can ask for. */
const MAX_CHANGES = 1_000

/** Remembers how often each device went and came back. */
export class Flaps {
  /** What was learned before is not known: devices are steady from here on. */
  readonly #startedAt: number
  readonly #isOnline = new Map<string, boolean>()
  readonly #changes = new Map<string, number[]>()

  constructor(startedAt: number) {
    this.#startedAt = startedAt
  }

  /** A device is seen online or offline. */
  see(id: string, isOnline: boolean, now: number): void {
    const before = this.#isOnline.get(id)
    this.#isOnline.set(id, isOnline)
    if (before === undefined || before === isOnline) return
    const changes = this.#changes.get(id) ?? []
    changes.push(now)
    if (changes.length > MAX_CHANGES) changes.shift()
    this.#changes.set(id, changes)
  }

  forget(id: string): void {
    this.#isOnline.delete(id)
    this.#changes.delete(id)
  }

  /** Those that come and go too often, and those that no longer do. */
  findings(devices: DeviceMap, firing: Firing, { threshold, window, severity }: RuleSettings, now: number): Finding[] {
    const findings: Finding[] = []
    const windowMs = (window ?? 0) * 1_000
    for (const [id, changes] of this.#changes) {
      // A short window must not make it forget since when a device is steady.
      const keptFrom = now - Math.max(windowMs, STEADY_MS)
      while (changes[0] !== undefined && changes[0] < keptFrom) changes.shift()
      if (changes.length === 0) this.#changes.delete(id)
      const device = devices.get(id)
      const count = changes.filter((at) => at >= now - windowMs).length
      // Steady already, though the window still holds the changes: it would be told as over and as begun at every look.
      const isSteady = now - (changes.at(-1) ?? this.#startedAt) >= STEADY_MS
      if (!device || device.isExempt || isSteady || count < threshold) continue
      findings.push({
        rule: 'flapping',
        subject: deviceSubject(device),
        verdict: 'bad',
        severity,
        title: `${device.name} comes and goes`,
        detail: `${count} changes between online and offline within ${inWords(windowMs)}. Nothing more is said of it until it is steady for ${inWords(STEADY_MS)}.`,
        value: count,
      })
    }
    for (const { subject } of firing.all) {
      const device = devices.get(subject.id)
      const over = whyOver(device, subject.name)
      const last = this.#changes.get(subject.id)?.at(-1) ?? this.#startedAt
      if (over) findings.push({ rule: 'flapping', subject, verdict: 'over', severity, ...over })
      else if (now - last >= STEADY_MS) {
        const state = this.#isOnline.get(subject.id) === false ? 'offline' : 'online'
        const title = `${subject.name} is steady: ${state}`
        findings.push({ rule: 'flapping', subject, verdict: 'good', severity, title, detail: `Unchanged for ${inWords(now - last)}.` })
      }
    }
    return findings
  }
}
