import { setTimeout as delay } from 'node:timers/promises'
import {
  type AgentCommandJson,
  type AgentHeartbeatJson,
  type CommandReportJson,
  type ControlFromAgent,
  type ControlFromHub,
  controlFromAgent,
  type RotationState,
} from '@mobilepool/sdk/contract'
import { JsonLines } from '@mobilepool/sdk/tunnel'
import type { Logger } from 'pino'
import { HubError } from '../errors.ts'
import { isDatabaseDown } from '../store/index.ts'
import type { TunnelSession } from './session.ts'

/** One look for an order; then the next. */
const LOOK_MS = 60_000
/** Before the next look when one ended early: another asker of the same device has taken its place. */
const PAUSE_MS = 1_000
/** Reports of one device that wait for the database. */
const MAX_REPORTS = 20

/** What the hub does for agents, over whichever way they ask. */
export interface CommandPorts {
  /** The device's order when there is one, else null after `waitMs` or when `gone` aborts. */
  order(ask: { deviceId: string; waitMs: number; gone: AbortSignal }): Promise<AgentCommandJson | null>
  /** Takes a heartbeat that came from an address; resolves when it counts: whether the address is another than before. */
  beat(deviceId: string, heartbeat: AgentHeartbeatJson, address: string): Promise<{ ipChanged: boolean }>
  /** Takes note that the device answers from that address. */
  alive(deviceId: string, address: string): void
  /** Takes a report that came from an address; the hub's own state of the rotation, or null when there is no such order. */
  report(deviceId: string, orderId: string, report: CommandReportJson, address: string): Promise<RotationState | null>
}

/** Carries orders to an agent as soon as they are given, and its reports back, each answered by a receipt. Ends with the session. */
export function carryOrders(session: TunnelSession, deviceId: string, { ports, log }: { ports: CommandPorts; log: Logger }): void {
  const stream = session.openControl()
  if (!stream) return
  const gone = new AbortController()
  let isLooking = false
  let reports = 0
  const lines = new JsonLines<ControlFromAgent, ControlFromHub>(stream, controlFromAgent, {
    message: (message) => {
      if (message.type === 'ready') void look()
      else if (message.type === 'beat') void hear(message)
      else void take(message)
    },
    end: () => gone.abort(),
  })

  async function look(): Promise<void> {
    if (isLooking) return
    isLooking = true
    try {
      while (!gone.signal.aborted) {
        const from = Date.now()
        const order = await ports.order({ deviceId, waitMs: LOOK_MS, gone: gone.signal })
        if (order) return void lines.send({ type: 'order', order, now: new Date().toISOString() })
        if (Date.now() - from < LOOK_MS) await delay(PAUSE_MS, undefined, { signal: gone.signal }).catch(() => {})
      }
    } catch (error) {
      log.error({ err: error }, 'An order could not be handed on.')
      lines.end()
    } finally {
      isLooking = false
    }
  }

  async function hear({ heartbeat }: ControlFromAgent & { type: 'beat' }): Promise<void> {
    try {
      const { ipChanged } = await ports.beat(deviceId, heartbeat, session.address)
      lines.send({ type: 'seen', remote_ip: session.address, ip_changed: ipChanged })
    } catch (error) {
      // Not answered it comes again.
      if (!isDatabaseDown(error)) log.error({ err: error }, 'A heartbeat could not be taken.')
    }
  }

  async function take({ number, id, report }: ControlFromAgent & { type: 'report' }): Promise<void> {
    if (reports >= MAX_REPORTS) return lines.end()
    reports += 1
    const receipt = { type: 'receipt' as const, number, state: null, detail: null }
    try {
      const state = await ports.report(deviceId, id, report, session.address)
      lines.send({ ...receipt, outcome: state === null ? 'unknown' : 'taken', state })
    } catch (error) {
      const isLater = !(error instanceof HubError) || isDatabaseDown(error) || error.code === 'internal'
      if (isLater && !isDatabaseDown(error)) log.error({ err: error }, 'A report could not be taken.')
      const detail = isLater ? 'The hub cannot take it now.' : error.message
      lines.send({ ...receipt, outcome: isLater ? 'later' : 'refused', detail })
    } finally {
      reports -= 1
    }
  }
}
