import type { RotationMethod } from '@mobilepool/sdk/contract'
import { type Clock, within } from '../clock.ts'
import type { Rung } from '../drivers/driver.ts'
import { AgentError, type AgentErrorCode } from '../errors.ts'
import { askDevice, bringUp, callDevice, comeOnline, findExitIp, type RotationPorts } from './ports.ts'
import { failed, type RotationFacts, type RotationResult } from './result.ts'
import { rotationTimes as times } from './times.ts'

/** What is asked for. */
export interface RotationOrder {
  /** Only this method; the device's own ladder when null. */
  readonly method: RotationMethod | null
  /** Only this hold, once: for finding out what it does. */
  readonly holdMs?: number
  /** How long requests under way may take to finish. */
  readonly drainMs: number
  /** When the rotation must have ended, in the clock's time. */
  readonly deadlineAt: number
}

/** What no further rung can cure. */
const hopeless = new Set<AgentErrorCode>([
  'canceled',
  'deadline_exceeded',
  'egress_leak',
  'sim_missing',
  'sim_locked',
  'permission_denied',
  'auth_failed',
])

/** What the hold may have to do with; that the hub did not answer, it has not. */
const attachFailures = new Set<AgentErrorCode>(['stuck_offline', 'no_registration', 'no_data_session'])

/**
 * Gets the device a new address and says truly whether it did: precheck, probe, fence, drain, then per rung cut, down, hold, up, wait
 * online, probe; unfence. Never throws, and switches the device on again on every way out.
 * @param stop aborts with `canceled` when the agent is to end
 */
export async function rotate(order: RotationOrder, ports: RotationPorts, stop: AbortSignal): Promise<RotationResult> {
  const ended = new AbortController()
  const signal = AbortSignal.any([stop, abortAt(order.deadlineAt, ports.clock, ended.signal)])
  const rotation = new Rotation(order, ports, signal)
  try {
    return await rotation.run()
  } catch (error) {
    return failed(error, rotation.facts)
  } finally {
    ended.abort()
    ports.traffic.unfence()
  }
}

class Rotation {
  facts: RotationFacts
  #carrier: string | null = null
  readonly #order: RotationOrder
  readonly #ports: RotationPorts
  readonly #signal: AbortSignal

  constructor(order: RotationOrder, ports: RotationPorts, signal: AbortSignal) {
    this.facts = { method: order.method, oldIp: null, newIp: null }
    this.#order = order
    this.#ports = ports
    this.#signal = signal
  }

  async run(): Promise<RotationResult> {
    this.#signal.throwIfAborted()
    const found = await this.#findRungs()
    await this.#precheck()
    const rungs = this.#plan(found)
    this.facts = { ...this.facts, oldIp: await this.#oldExitIp() }
    this.#ports.traffic.fence()
    void this.#ports.progress('draining', this.facts)
    await this.#drain()
    await this.#ports.progress('rotating', this.facts)
    return await this.#climb(rungs)
  }

  async #findRungs(): Promise<Rung[]> {
    const { method } = this.#order
    const ladder = await askDevice(this.#ports, (signal) => this.#ports.driver.ladder(signal), this.#signal)
    const rungs = ladder.filter((rung) => (method === null ? !rung.isOnRequest : rung.method === method))
    if (rungs.length > 0) return rungs
    const can = [...new Set(ladder.map((rung) => rung.method))].join(', ') || 'by none'
    throw new AgentError('unsupported', `The device cannot rotate${method === null ? '' : ` by ${method}`}; it can: ${can}.`)
  }

  async #precheck(): Promise<void> {
    const { sim, telemetry } = await askDevice(this.#ports, (signal) => this.#ports.driver.status(signal), this.#signal)
    if (sim === 'missing') throw new AgentError('sim_missing', 'There is no SIM in the device.')
    if (sim === 'locked') throw new AgentError('sim_locked', 'The SIM asks for its PIN or PUK.')
    this.#carrier = telemetry.operator ?? null
  }

  #plan(found: readonly Rung[]): readonly Rung[] {
    const { holdMs } = this.#order
    const [first] = found
    if (holdMs !== undefined && first) return [{ ...first, holdMs }]
    return this.#ports.holds?.plan(found, this.#carrier) ?? found
  }

  /** Null when it cannot be found now and was never seen: the rotation may mend just that. */
  async #oldExitIp(): Promise<string | null> {
    const timedOut = (): Error => new AgentError('probe_failed', 'The hub did not say the exit IP in time.')
    try {
      return await within(this.#ports.clock, times.probeMs, (signal) => this.#ports.probe(signal), timedOut, this.#signal)
    } catch (error) {
      if (this.#signal.aborted || (error instanceof AgentError && error.code === 'egress_leak')) throw error
      return this.#ports.lastExitIp()
    }
  }

  async #drain(): Promise<void> {
    const over = new AbortController()
    const timeout = this.#ports.clock.sleep(this.#order.drainMs, AbortSignal.any([this.#signal, over.signal]))
    try {
      await Promise.race([this.#ports.traffic.drained(), timeout])
    } finally {
      over.abort()
    }
  }

  async #climb(rungs: readonly Rung[]): Promise<RotationResult> {
    let verifyMs: number = times.verifyMs
    let last: RotationResult | null = null
    for (const rung of rungs) {
      // Begun too late it would end in the deadline with the device down: better to stop with what is known.
      if (this.#order.deadlineAt - this.#ports.clock.now() < rung.holdMs + verifyMs) break
      const startedAt = this.#ports.clock.now()
      try {
        last = await this.#tryRung(rung)
        await this.#learn(rung, last.state === 'changed', startedAt)
        if (last.state === 'changed') return last
      } catch (error) {
        if (error instanceof AgentError && hopeless.has(error.code)) throw error
        if (error instanceof AgentError && attachFailures.has(error.code)) await this.#learn(rung, false, startedAt)
        last = failed(error, this.facts)
      }
      verifyMs = this.#ports.clock.now() - startedAt - rung.holdMs
    }
    if (last) return last
    const seconds = Math.max(0, Math.round((this.#order.deadlineAt - this.#ports.clock.now()) / 1_000))
    throw new AgentError('deadline_exceeded', `The deadline is ${seconds} s away: too near to rotate.`)
  }

  async #learn(rung: Rung, isChanged: boolean, startedAt: number): Promise<void> {
    await this.#ports.holds?.tried(rung, this.#carrier, isChanged, this.#ports.clock.now() - startedAt)
  }

  async #tryRung(rung: Rung): Promise<RotationResult> {
    this.facts = { ...this.facts, method: rung.method, newIp: null }
    await this.#ports.keep(this.facts)
    await this.#cycle(rung)
    await comeOnline(this.#ports, this.#signal, rung.onlineMs)
    void this.#ports.progress('verifying', this.facts)
    const newIp = await findExitIp(this.#ports, this.#signal)
    this.facts = { ...this.facts, newIp }
    return compare(this.facts, newIp, null)
  }

  /** Down, hold, up. Whatever happens in between, it is up again afterwards. */
  async #cycle(rung: Rung): Promise<void> {
    this.#ports.traffic.cut()
    try {
      await callDevice(this.#ports, (signal) => this.#ports.driver.down(rung, signal), this.#signal)
      await this.#ports.clock.sleep(rung.holdMs, this.#signal)
    } finally {
      await bringUp(this.#ports)
    }
  }
}

/** The outcome, by the addresses alone. */
export function compare(facts: RotationFacts, newIp: string, detail: string | null): RotationResult {
  if (facts.oldIp === null) {
    throw new AgentError('probe_failed', 'The exit IP before the rotation is not known, so nothing can be said of the one after it.')
  }
  return { ...facts, newIp, state: newIp === facts.oldIp ? 'unchanged' : 'changed', detail }
}

function abortAt(deadlineAt: number, clock: Clock, until: AbortSignal): AbortSignal {
  const deadline = new AbortController()
  clock.sleep(deadlineAt - clock.now(), until).then(
    () => deadline.abort(new AgentError('deadline_exceeded', 'The rotation was not over at its deadline.')),
    () => {},
  )
  return deadline.signal
}
