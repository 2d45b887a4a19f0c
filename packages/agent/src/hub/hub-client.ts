import {
  type AgentCommandJson,
  type AgentHeartbeatJson,
  agentCommands,
  agentHeartbeatReply,
  type Camelized,
  type CommandReportJson,
  echoReply,
  enrollReply,
  type enrollRequest,
  type RotationState,
  rotateReply,
  toCamel,
} from '@mobilepool/sdk/contract'
import { Agent, type buildConnector, request } from 'undici'
import type { z } from 'zod'
import { AgentError } from '../errors.ts'
import { checkAnswer, type HubAnswer, saysNotFound, unreachable } from './hub-answer.ts'

/** Time for one answer. */
const ANSWER_TIMEOUT_MS = 10_000
/** A long poll is given up this much after its own end. */
const POLL_GRACE_MS = 10_000
/** Longer than the pause between two heartbeats, so that the connection is still there for the next one. */
const KEEP_ALIVE_MS = 30_000
const MAX_REPLY_BYTES = 1 << 20
/** A clock difference below this is the coarseness of the Date header and the way to the hub. */
const CLOCK_TOLERANCE_MS = 2_500

/** An order, its deadline in this machine's time. */
export type Order = Omit<Camelized<AgentCommandJson>, 'deadlineAt'> & { readonly deadlineAt: number }

interface Ask {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: unknown
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
  /** On a connection of its own, by the route as it is now. */
  readonly isFresh?: boolean
}

/** What the agent says to the hub. Throws `AgentError` `hub_unreachable`, `hub_unauthorized` or `hub_refused`. */
export class HubClient {
  readonly #url: string
  readonly #options: Agent.Options
  readonly #now: () => number
  #agent: Agent
  #deviceKey: string | null = null

  constructor(parts: { url: string; connect: buildConnector.connector; now: () => number }) {
    this.#url = parts.url.replace(/\/+$/, '')
    this.#options = { connect: parts.connect, keepAliveTimeout: KEEP_ALIVE_MS, maxResponseSize: MAX_REPLY_BYTES }
    this.#now = parts.now
    this.#agent = new Agent(this.#options)
  }

  /** The key that the later calls bring. */
  useKey(deviceKey: string): void {
    this.#deviceKey = deviceKey
  }

  /** Trades a one-time token for the device's key. Throws `enroll_refused` when the hub does not take it. */
  async enroll(body: z.input<typeof enrollRequest>): Promise<Camelized<z.infer<typeof enrollReply>>> {
    const answer = await this.#ask({ method: 'POST', path: '/api/v1/agents/enroll', body })
    try {
      return toCamel(checkAnswer(answer, enrollReply))
    } catch (error) {
      if (!(error instanceof AgentError) || error.code === 'hub_unreachable') throw error
      throw new AgentError(
        'enroll_refused',
        `${error.message} A token enrols one device, once: create a new one on the hub if this one is spent.`,
      )
    }
  }

  async heartbeat(body: AgentHeartbeatJson, signal?: AbortSignal): Promise<Camelized<z.infer<typeof agentHeartbeatReply>>> {
    const answer = await this.#ask({ method: 'POST', path: '/api/v1/agents/heartbeat', body, signal })
    return toCamel(checkAnswer(answer, agentHeartbeatReply))
  }

  /** Waits up to `waitS` seconds for orders. */
  async orders(waitS: number, signal?: AbortSignal): Promise<Order[]> {
    const path = `/api/v1/agents/commands?wait=${waitS}`
    const answer = await this.#ask({ method: 'GET', path, timeoutMs: waitS * 1_000 + POLL_GRACE_MS, signal })
    const aheadMs = this.#clockAheadMs(answer)
    const { commands } = checkAnswer(answer, agentCommands)
    return commands.map((command) => ({ ...toCamel(command), deadlineAt: Date.parse(command.deadline_at) + aheadMs }))
  }

  /** Reports on an order. Returns the hub's own state of the rotation; null when it knows no such order. */
  async report(id: string, body: CommandReportJson, timeoutMs: number, signal?: AbortSignal): Promise<RotationState | null> {
    const answer = await this.#ask({ method: 'POST', path: `/api/v1/agents/commands/${id}`, body, timeoutMs, signal })
    return saysNotFound(answer) ? null : checkAnswer(answer, rotateReply).rotation.state
  }

  /** The address that the hub sees, asked on a new connection. */
  async echo(signal: AbortSignal): Promise<string> {
    return checkAnswer(await this.#ask({ method: 'GET', path: '/api/v1/echo', signal, isFresh: true }), echoReply).ip
  }

  /** Cuts every connection to the hub; the next call opens a new one. For when the device's address is about to go. */
  reset(): void {
    const old = this.#agent
    this.#agent = new Agent(this.#options)
    void old.destroy()
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #ask(ask: Ask): Promise<HubAnswer> {
    const dispatcher = ask.isFresh ? new Agent(this.#options) : this.#agent
    const timeoutMs = ask.timeoutMs ?? ANSWER_TIMEOUT_MS
    const timeout = AbortSignal.timeout(timeoutMs)
    const headers: Record<string, string> = { accept: 'application/json' }
    if (this.#deviceKey !== null) headers.authorization = `Bearer ${this.#deviceKey}`
    if (ask.body !== undefined) headers['content-type'] = 'application/json'
    try {
      const reply = await request(`${this.#url}${ask.path}`, {
        dispatcher,
        method: ask.method,
        headers,
        body: ask.body === undefined ? null : JSON.stringify(ask.body),
        // The signal bounds the whole call; undici's own limits would only cut long polls.
        headersTimeout: 0,
        bodyTimeout: 0,
        signal: ask.signal ? AbortSignal.any([timeout, ask.signal]) : timeout,
      })
      const { date, location } = reply.headers
      return {
        url: this.#url,
        status: reply.statusCode,
        text: await reply.body.text(),
        date: typeof date === 'string' ? Date.parse(date) : Number.NaN,
        location: typeof location === 'string' ? location : null,
      }
    } catch (error) {
      if (ask.signal?.aborted) throw ask.signal.reason
      throw timeout.aborted
        ? new AgentError('hub_unreachable', `The hub at ${this.#url} did not answer within ${timeoutMs} ms.`)
        : unreachable(this.#url, error)
    } finally {
      if (dispatcher !== this.#agent && ask.isFresh) await dispatcher.destroy()
    }
  }

  /** How far this machine's clock is ahead of the hub's. A phone without network time can be off by hours. */
  #clockAheadMs(answer: HubAnswer): number {
    const aheadMs = Number.isNaN(answer.date) ? 0 : this.#now() - answer.date
    return Math.abs(aheadMs) < CLOCK_TOLERANCE_MS ? 0 : aheadMs
  }
}
