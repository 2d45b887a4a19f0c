import type { Logger } from 'pino'
import type { BackOff } from '../back-off.ts'
import type { Clock } from '../clock.ts'
import { AgentError } from '../errors.ts'
import type { HubClient, Order } from '../hub/hub-client.ts'
import { type RotationResult, reportOf } from '../rotation/result.ts'
import type { CommandJournal } from './journal.ts'

/** How long the hub holds a poll open: below the idle time-outs of carriers' NATs. */
const POLL_S = 25
const REPORT_TIMEOUT_MS = 10_000
/** The link of a device that has just been switched on needs a moment. */
const LAST_TRY_PAUSE_MS = 200

/** What the loop needs of the agent. */
export interface CommandParts {
  readonly clock: Clock
  readonly log: Logger
  readonly hub: Pick<HubClient, 'orders' | 'report'>
  readonly journal: CommandJournal
  readonly backOff: BackOff
  /** Executes a new order to its end. */
  execute(order: Order, signal: AbortSignal): Promise<RotationResult>
  /** Called when the hub no longer knows this device. */
  onUnauthorized(error: AgentError): void
}

/** Waits for orders, executes each of them once, and repeats its result until the hub has acknowledged it. */
export class CommandLoop {
  readonly #parts: CommandParts

  constructor(parts: CommandParts) {
    this.#parts = parts
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, hub, backOff, onUnauthorized } = this.#parts
    let isFailing = false
    while (!signal.aborted) {
      try {
        const isDelivered = await this.#tryDeliver(signal)
        // A result that the hub cannot take now must not keep its orders away.
        const orders = await hub.orders(isDelivered ? POLL_S : 0, signal)
        isFailing = false
        for (const order of orders) await this.#take(order, signal)
        if (isDelivered) backOff.reset()
        else await clock.sleep(backOff.next(), signal).catch(() => {})
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof AgentError && error.code === 'hub_unauthorized') onUnauthorized(error)
        else log[isFailing ? 'debug' : 'warn']({ reason: error instanceof Error ? error.message : String(error) }, 'no orders from the hub')
        isFailing = true
        await clock.sleep(backOff.next(), signal).catch(() => {})
      }
    }
  }

  /** Tries for a while to report what is left: for an agent that is about to end. */
  async deliverWithin(timeoutMs: number): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs)
    while (!signal.aborted) {
      if (await this.#tryDeliver(signal).catch(() => true)) return
      await this.#parts.clock.sleep(LAST_TRY_PAUSE_MS, signal).catch(() => {})
    }
  }

  /** Reports every result that the hub has not acknowledged. */
  async #deliver(signal: AbortSignal): Promise<void> {
    const { hub, journal, log } = this.#parts
    for (const { id, report } of journal.unacknowledged()) {
      try {
        const verdict = await hub.report(id, report, REPORT_TIMEOUT_MS, signal)
        if (verdict === null) log.warn({ rotation: id }, 'the hub does not know this rotation any more')
        else log.info({ rotation: id, outcome: verdict }, 'the hub has the result')
      } catch (error) {
        // A result that the hub finds wrong would be found wrong for ever.
        if (!(error instanceof AgentError) || error.code !== 'hub_refused') throw error
        log.error({ rotation: id, reason: error.message }, 'the hub does not take the result')
      }
      await journal.update(id, { isAcknowledged: true })
    }
  }

  async #tryDeliver(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#deliver(signal)
      return true
    } catch (error) {
      if (signal.aborted || (error instanceof AgentError && error.code === 'hub_unauthorized')) throw error
      this.#parts.log.debug({ reason: (error as Error).message }, 'the hub cannot take the result now')
      return false
    }
  }

  async #take(order: Order, signal: AbortSignal): Promise<void> {
    const { journal, execute, log } = this.#parts
    const known = journal.find(order.id)
    if (known) {
      // Asked again: the hub has not got the result, whatever we thought.
      await journal.update(order.id, { isAcknowledged: false })
      return
    }
    await journal.begin(order.id)
    log.info({ rotation: order.id, method: order.method }, 'rotating')
    const result = await execute(order, signal)
    const report = reportOf(result)
    await journal.update(order.id, { report })
    log.info(
      {
        rotation: order.id,
        outcome: result.state,
        oldIp: report.old_ip,
        newIp: report.new_ip,
        reason: report.reason,
        detail: report.detail,
      },
      'rotated',
    )
  }
}
