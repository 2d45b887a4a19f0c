import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import {
  type AgentCommandJson,
  type AgentHeartbeatJson,
  agentHeartbeat,
  type CommandReportJson,
  commandReport,
  enrollRequest,
  isFinal,
  type ProblemCode,
  problems,
} from '@mobilepool/sdk/contract'

/** One report as it came in. */
export interface SeenReport extends CommandReportJson {
  readonly id: string
  /** The address that it came from. */
  readonly from: string
}

/**
 * The agents' part of a hub, as the contract has it, for tests that need a hub to misbehave. Anything that the contract does not allow is
 * answered 400 and kept in `violations`.
 */
export class ContractHub {
  readonly key = 'mp_device_key_of_the_test'
  readonly heartbeats: (AgentHeartbeatJson & { from: string })[] = []
  readonly reports: SeenReport[] = []
  readonly enrolments: string[] = []
  readonly violations: string[] = []
  /** Tokens that are not spent. */
  readonly tokens = new Set(['token-1'])
  /** Decides on each request before the hub does: a status to answer with, `hang` or `cut`. */
  interfere: (method: string, path: string) => number | 'hang' | 'cut' | null = () => null
  /** Added to the hub's clock. */
  clockAheadMs = 0
  #order: AgentCommandJson | null = null
  #polls = new Set<() => void>()
  readonly #server: Server
  readonly #scheme: 'http' | 'https'

  /** Over TLS when it is given a certificate. */
  constructor(tls?: { key: string; cert: string }) {
    const answer = (req: IncomingMessage, res: ServerResponse): void => void this.#answer(req, res)
    this.#server = tls ? createTlsServer(tls, answer) : createServer(answer)
    this.#scheme = tls ? 'https' : 'http'
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return this.url
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#wake()
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  /** Gives an order, which is repeated to whoever asks until its result is here. Returns its id. */
  order(order: Partial<AgentCommandJson> = {}, timeoutMs = 30_000): string {
    const deadline = new Date(Date.now() + this.clockAheadMs + timeoutMs).toISOString()
    this.#order = { id: randomUUID(), type: 'rotate', method: null, drain_ms: 200, deadline_at: deadline, ...order }
    this.#wake()
    return this.#order.id
  }

  /** The result of an order; undefined while there is none. */
  resultOf(id: string): SeenReport | undefined {
    return this.reports.find((report) => report.id === id && isFinal(report.state))
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://hub')
    const from = (req.socket.remoteAddress ?? '').replace('::ffff:', '')
    const body = await readBody(req).catch(() => null)
    // An agent that was killed while it spoke.
    if (req.socket.destroyed) return
    const send = (status: number, json: unknown): void => {
      const headers = { 'content-type': 'application/json', date: new Date(Date.now() + this.clockAheadMs).toUTCString() }
      res.writeHead(status, headers).end(JSON.stringify(json))
    }
    const refuse = (code: ProblemCode, detail: string): void =>
      send(problems[code].status, { type: 'about:blank', title: problems[code].title, status: problems[code].status, code, detail })

    const interference = this.interfere(req.method ?? '', pathname)
    if (interference === 'hang') return
    if (interference === 'cut') return void req.socket.destroy()
    if (interference !== null) return void res.writeHead(interference).end()
    try {
      if (pathname === '/api/v1/echo') return send(200, { ip: from })
      if (pathname === '/api/v1/agents/enroll') {
        const { token, name } = enrollRequest.parse(body)
        if (!this.tokens.delete(token)) return refuse('unauthorized', 'This token is not known or spent.')
        this.enrolments.push(name)
        return send(201, { device_id: '5b2c1a52-6f7e-4f0e-9b1a-0c4a9f6a1c11', name, device_key: this.key })
      }
      if (req.headers.authorization !== `Bearer ${this.key}`) return refuse('unauthorized', 'This key is not known.')
      if (pathname === '/api/v1/agents/heartbeat') {
        const last = this.heartbeats.at(-1)?.from
        this.heartbeats.push({ ...agentHeartbeat.parse(body), from })
        return send(200, {
          name: 'seoul-01',
          remote_ip: from,
          ip_changed: last !== undefined && last !== from,
          timestamp: new Date().toISOString(),
        })
      }
      if (pathname === '/api/v1/agents/commands') return send(200, { commands: await this.#next(Number(searchParams.get('wait')), req) })
      const id = /^\/api\/v1\/agents\/commands\/([^/]+)$/.exec(pathname)?.[1]
      if (id === undefined) return refuse('not_found', 'There is no such thing.')
      return this.#takeReport(id, commandReport.parse(body), from, send, refuse)
    } catch (error) {
      this.violations.push(`${req.method} ${pathname}: ${(error as Error).message}`)
      refuse('bad_request', 'This is not what the contract says.')
    }
  }

  #takeReport(
    id: string,
    report: CommandReportJson,
    from: string,
    send: (status: number, json: unknown) => void,
    refuse: (code: ProblemCode, detail: string) => void,
  ): void {
    const isKnown = this.#order?.id === id || this.reports.some((earlier) => earlier.id === id)
    if (!isKnown) {
      refuse('not_found', 'There is no such order.')
      return
    }
    this.reports.push({ ...report, id, from })
    if (isFinal(report.state) && this.#order?.id === id) this.#order = null
    send(200, {
      rotation: {
        id,
        device_id: '5b2c1a52-6f7e-4f0e-9b1a-0c4a9f6a1c11',
        device_name: 'seoul-01',
        trigger: 'forced',
        created_at: new Date().toISOString(),
        ended_at: null,
        duration_ms: null,
        ...report,
      },
    })
  }

  async #next(waitS: number, req: IncomingMessage): Promise<AgentCommandJson[]> {
    if (!this.#order && waitS > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitS * 1_000)
        const wake = (): void => {
          clearTimeout(timer)
          this.#polls.delete(wake)
          resolve()
        }
        this.#polls.add(wake)
        req.socket.once('close', wake)
      })
    }
    return this.#order ? [this.#order] : []
  }

  #wake(): void {
    for (const wake of [...this.#polls]) wake()
  }
}

async function readBody(req: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of req) text += chunk
  return text === '' ? undefined : JSON.parse(text)
}
