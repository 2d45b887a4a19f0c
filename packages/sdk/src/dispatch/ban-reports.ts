import type { RecentAnswer, RecentAnswers } from '../bans/recent-answers.ts'
import { type Report, readReport } from '../bans/report-target.ts'
import type { Device } from '../core/device.ts'
import type { ExitMemory, Quarantine } from '../core/quarantine.ts'
import { MobilePoolError } from '../errors.ts'
import type { Emit } from '../events.ts'

/** What became of a report. */
export interface ReportResult {
  /** The device, by its id; the id that was given where the pool does not know it. */
  readonly deviceId: string
  /** The exit IP that it was filed under; null: unknown to the pool. */
  readonly exitIp: string | null
  /** Registrable domain of the target: what quarantines go by. */
  readonly site: string
  /** Until when the exit IP is not used for the site, milliseconds since 1970; null: it is used. */
  readonly until: number | null
  /** It changed something. False for a second report of the same response, or of one that the pool had counted as a ban itself. */
  readonly isNews: boolean
}

export interface BanReportsParts {
  readonly now: () => number
  readonly answers: RecentAnswers
  readonly quarantine: Quarantine
  readonly find: (idOrName: string) => Device | undefined
  readonly siteOf: (hostname: string) => string
  readonly emit: Emit
  /** The device's exit of now met a ban. `request`: one object a request. */
  readonly onBan: (device: Device, site: string, request: object, strikes: number) => void
  /** The answer to the request of this number was a ban. */
  readonly onAnswerBanned: (order: number) => void
  /** Who waits is to be looked at again. */
  readonly onChange: () => void
}

/** What a report is filed under. */
interface Subject {
  readonly deviceId: string
  readonly name: string
  readonly device: Device | undefined
  readonly exit: ExitMemory
  readonly site: string
  readonly answer: RecentAnswer | undefined
}

/** Takes in what only parsers can know: that a page was a ban, or was none. */
export class BanReports {
  readonly #parts: BanReportsParts

  constructor(parts: BanReportsParts) {
    this.#parts = parts
  }

  /** Throws `MP_OPTIONS` when the report makes no sense, `MP_UNKNOWN_DEVICE` when neither device nor exit IP is known. */
  report(target: unknown, verdict: unknown): ReportResult {
    const report = readReport(target, verdict)
    const subject = this.#subjectOf(report)
    const isNews = report.isBan ? this.#ban(subject, report) : this.#lift(subject)
    const { deviceId, exit, site } = subject
    const until = exit.quarantinedUntil(site, this.#parts.now())
    return { deviceId, exitIp: exit.exitIp, site, until: until === 0 ? null : until, isNews }
  }

  #ban({ deviceId, name, device, exit, site, answer }: Subject, { reason, statusCode }: Report): boolean {
    if (answer?.isCounted === true) return false
    const { now, quarantine, emit, onBan, onAnswerBanned, onChange } = this.#parts
    const { until, strikes } = quarantine.ban(exit, site, undefined, now(), 1 + (answer?.strikesEnded ?? 0))
    if (answer !== undefined) {
      Object.assign(answer, { isCounted: true, strikesEnded: 0 })
      onAnswerBanned(answer.order)
    }
    if (device !== undefined) device.tally.bans++
    const rule = reason ?? 'reported'
    emit('ban', { deviceId, device: name, site, exitIp: exit.exitIp, rule, by: 'report', statusCode, until, strikes })
    if (device !== undefined && device.exit === exit) onBan(device, site, answer ?? {}, strikes)
    onChange()
    return true
  }

  /** An answer among others does not lift what another one has shown; the answer that was taken for a ban does, and so does a plain word. */
  #lift({ exit, site, answer }: Subject): boolean {
    if (answer !== undefined && !answer.isCounted) return false
    const { now, quarantine, onChange } = this.#parts
    if (answer !== undefined) answer.isCounted = false
    const isLifted = quarantine.lift(exit, site, now())
    if (isLifted) onChange()
    return isLifted
  }

  #subjectOf({ device: idOrName, exitIp, order, hostname, responseHostname }: Report): Subject {
    const { answers, find, quarantine, siteOf, now } = this.#parts
    const known = order === null ? undefined : answers.get(order)
    // Requests of another pool have the same numbers.
    const answer = known?.device.facts.name === idOrName && (exitIp === null || known.exit.exitIp === exitIp) ? known : undefined
    const device = answer?.device ?? find(idOrName)
    const exit = answer?.exit ?? (exitIp === null ? device?.exit : quarantine.exit(exitIp, now()))
    if (exit === undefined) {
      throw new MobilePoolError('MP_UNKNOWN_DEVICE', `pool.report: the pool has no device "${idOrName}": name its \`exitIp\` as well`)
    }
    const host = hostname ?? (answer === undefined ? responseHostname : null)
    const site = host === null ? answer?.site : siteOf(host)
    if (site === undefined) {
      throw new MobilePoolError('MP_OPTIONS', 'pool.report: give the `site` that it is about: the target does not tell it', {
        phase: 'options',
      })
    }
    return {
      deviceId: device?.id ?? idOrName,
      name: device?.facts.name ?? idOrName,
      device,
      exit,
      site,
      answer: host === null || siteOf(host) === answer?.site ? answer : undefined,
    }
  }
}
