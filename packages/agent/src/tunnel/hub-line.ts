import type { Duplex } from 'node:stream'
import {
  type AgentHeartbeatJson,
  type CommandReportJson,
  type ControlFromAgent,
  type ControlFromHub,
  controlFromHub,
  type RotationState,
  toCamel,
} from '@mobilepool/sdk/contract'
import { JsonLines } from '@mobilepool/sdk/tunnel'
import type { Clock } from '../clock.ts'
import { AgentError } from '../errors.ts'
import type { HeartbeatWay } from '../heartbeat.ts'
import type { HubClient, Order } from '../hub/hub-client.ts'

/** Time for the answer to a heartbeat. */
const SEEN_MS = 10_000
/** A clock difference below this is the way to the hub. */
const CLOCK_TOLERANCE_MS = 2_500

type Seen = ControlFromHub & { type: 'seen' }
type Receipt = ControlFromHub & { type: 'receipt' }

/** The control stream of one session. */
class Line {
  readonly lines: JsonLines<ControlFromHub, ControlFromAgent>
  readonly gone = new AbortController()
  readonly receipts = new Map<number, (receipt: Receipt) => void>()
  /** Takes the answer to the heartbeat under way. */
  onSeen: (seen: Seen) => void = () => {}
  orders: Order[] = []
  /** Asked for an order that has not come. */
  isAsking: boolean = false

  constructor(stream: Duplex, clock: Clock, onOrder: () => void) {
    this.lines = new JsonLines(stream, controlFromHub, {
      message: (message) => {
        if (message.type === 'receipt') this.receipts.get(message.number)?.(message)
        else if (message.type === 'seen') this.onSeen(message)
        else {
          this.isAsking = false
          this.orders.push(localOrder(message, clock.now()))
          onOrder()
        }
      },
      end: () => this.gone.abort(),
    })
  }
}

/**
 * Orders and reports by whichever way there is: by the tunnel, where an order comes when it is given, else by polling. What the tunnel does
 * not deliver is an error here, and said again by whoever keeps it; the ids make that harmless.
 */
export class HubLine implements Pick<HubClient, 'orders' | 'report'>, HeartbeatWay {
  readonly #http: Pick<HubClient, 'heartbeat' | 'orders' | 'report'>
  readonly #clock: Clock
  #line: Line | null = null
  #reports = 0
  /** Ends the wait, or the poll, that is under way. */
  #wake: () => void = () => {}

  constructor(http: Pick<HubClient, 'heartbeat' | 'orders' | 'report'>, clock: Clock) {
    this.#http = http
    this.#clock = clock
  }

  /** The stream by which the hub is heard now: its pings tell it that the device is alive. Null: there is none. */
  get standing(): object | null {
    return this.#line
  }

  /** Sends a heartbeat. Throws `hub_unreachable`, and what `HubClient.heartbeat` throws. */
  async heartbeat(body: AgentHeartbeatJson, signal: AbortSignal): Promise<{ readonly remoteIp: string; readonly ipChanged: boolean }> {
    const line = this.#line
    if (!line) return this.#http.heartbeat(body, signal)
    const ended = new AbortController()
    const giveUp = AbortSignal.any([line.gone.signal, ended.signal, signal])
    try {
      const seen = await new Promise<Seen | null>((resolve) => {
        line.onSeen = resolve
        const isSent = line.lines.send({ type: 'beat', heartbeat: body })
        const late = isSent ? this.#clock.sleep(SEEN_MS, giveUp).catch(() => {}) : Promise.resolve()
        void late.then(() => resolve(null))
      })
      if (!seen) throw new AgentError('hub_unreachable', 'The hub did not answer by the tunnel.')
      return { remoteIp: seen.remote_ip, ipChanged: seen.ip_changed }
    } finally {
      ended.abort()
    }
  }

  /** Takes over the stream that the hub has opened for orders; a newer one replaces it. */
  attach(stream: Duplex): void {
    const older = this.#line
    const line = new Line(stream, this.#clock, () => this.#wake())
    this.#line = line
    line.gone.signal.addEventListener('abort', () => {
      if (this.#line === line) this.#line = null
      this.#wake()
    })
    older?.lines.end()
    this.#wake()
  }

  /** As `HubClient.orders`. */
  async orders(waitS: number, signal?: AbortSignal): Promise<Order[]> {
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    const line = this.#line
    const either = signal ? AbortSignal.any([signal, woken.signal]) : woken.signal
    if (!line) {
      try {
        return await this.#http.orders(waitS, either)
      } catch (error) {
        if (woken.signal.aborted && !signal?.aborted) return []
        throw error
      }
    }
    if (line.orders.length === 0 && !line.isAsking) {
      line.isAsking = true
      line.lines.send({ type: 'ready' })
    }
    if (line.orders.length === 0 && waitS > 0) await this.#clock.sleep(waitS * 1_000, either).catch(() => {})
    signal?.throwIfAborted()
    return line.orders.splice(0)
  }

  /** As `HubClient.report`. */
  async report(id: string, report: CommandReportJson, timeoutMs: number, signal?: AbortSignal): Promise<RotationState | null> {
    const line = this.#line
    if (!line) return this.#http.report(id, report, timeoutMs, signal)
    this.#reports += 1
    const number = this.#reports
    const ended = new AbortController()
    const giveUp = AbortSignal.any([line.gone.signal, ended.signal, ...(signal ? [signal] : [])])
    try {
      const receipt = await new Promise<Receipt | null>((resolve) => {
        line.receipts.set(number, resolve)
        const isSent = line.lines.send({ type: 'report', number, id, report })
        const late = isSent ? this.#clock.sleep(timeoutMs, giveUp).catch(() => {}) : Promise.resolve()
        void late.then(() => resolve(null))
      })
      if (signal?.aborted) throw signal.reason
      return verdict(receipt)
    } finally {
      ended.abort()
      line.receipts.delete(number)
    }
  }
}

function verdict(receipt: Receipt | null): RotationState | null {
  if (receipt === null) throw new AgentError('hub_unreachable', 'The hub did not answer by the tunnel.')
  const { outcome, state, detail } = receipt
  if (outcome === 'later') throw new AgentError('hub_unreachable', detail ?? 'The hub cannot take it now.')
  if (outcome === 'refused') throw new AgentError('hub_refused', `The hub refused (${detail ?? 'no reason given'}).`)
  return outcome === 'unknown' ? null : state
}

/** An order with its deadline in this machine's time. */
function localOrder({ order, now: hubNow }: ControlFromHub & { type: 'order' }, now: number): Order {
  const aheadMs = now - Date.parse(hubNow)
  const isAhead = Math.abs(aheadMs) >= CLOCK_TOLERANCE_MS
  return { ...toCamel(order), deadlineAt: Date.parse(order.deadline_at) + (isAhead ? aheadMs : 0) }
}
