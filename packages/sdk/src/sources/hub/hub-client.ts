/// <reference path="../../dispatch/undici-deep.d.ts" />
import { type Reply, request } from 'undici/lib/api/index.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import type { z } from 'zod'
import {
  type BanReportJson,
  banList,
  banReply,
  type DeviceListJson,
  deviceList,
  fleetRotateReply,
  type ProblemJson,
  problem,
  type RotationJson,
  type RotationTrigger,
  rotation,
  type UsageBatchJson,
  usageReply,
} from '../../contract/index.ts'
import { directConnector } from '../../direct-connector.ts'
import { MobilePoolError } from '../../errors.ts'

export interface HubAddress {
  /** Without credentials. */
  readonly url: URL
  readonly token: string | undefined
}

/** A rotation to ask for, as `POST /api/v1/proxy/rotate` takes it. */
export interface RotationWish {
  readonly device: string
  readonly trigger: RotationTrigger
  /** `24h`: again while the new exit IP was seen within this time. */
  readonly unique?: string
}

/** What the hub said instead of doing it. */
export class HubProblem extends Error {
  readonly problem: ProblemJson

  constructor(body: ProblemJson) {
    super(body.detail)
    this.problem = body
  }
}

/** How long the hub may take to connect and to begin its answer. */
const TIMEOUT_MS = 10_000
/**
 * A stream that says nothing for so long is taken for dead and opened again, which costs nothing when it was not:
 * it resumes where it was.
 */
const STREAM_SILENCE_MS = 90_000
/** Longest reply that is read: 10,000 devices are about 8 MB. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024

/**
 * Talks to the hub over connections of its own: `globalThis.fetch` may lead through the pool itself (`pool.installGlobal()`).
 * They do not keep the process alive: a parser that is done may end without closing its pool.
 */
export class HubClient {
  readonly #base: URL
  readonly #headers: Record<string, string>
  readonly #agent: Agent

  constructor({ url, token }: HubAddress) {
    this.#base = new URL(url.href.endsWith('/') ? url.href : `${url.href}/`)
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    this.#agent = new Agent({
      connect: directConnector({ timeoutMs: TIMEOUT_MS, keepsProcessAlive: false }),
      keepAliveTimeout: 4_000,
      keepAliveMaxTimeout: 10_000,
    })
  }

  /** The fleet, and where its stream of events continues. */
  async list(signal: AbortSignal): Promise<DeviceListJson> {
    return this.#json('GET', 'api/v1/proxy/list', undefined, deviceList, signal)
  }

  /** Opens the stream of events after `lastEventId`; its text comes as it is sent. */
  async openEvents(lastEventId: string, signal: AbortSignal): Promise<AsyncIterable<string>> {
    const headers = { accept: 'text/event-stream', 'last-event-id': lastEventId }
    const reply = await this.#send('GET', 'api/v1/events', { signal, bodyTimeout: STREAM_SILENCE_MS, reset: true, headers })
    if (reply.statusCode !== 200) throw await problemOf(reply)
    return decode(reply.body)
  }

  /** Asks for a rotation; throws `HubProblem` when the hub will not. */
  async rotate(wish: RotationWish, signal: AbortSignal): Promise<RotationJson> {
    const { rotations, refused } = await this.#json('POST', 'api/v1/proxy/rotate', wish, fleetRotateReply, signal)
    const [rotation] = rotations
    if (rotation !== undefined) return rotation
    const [refusal] = refused
    const parsed = problem.safeParse({ type: 'about:blank', title: 'refused', status: 409, code: refusal?.code, detail: refusal?.detail })
    if (parsed.success) throw new HubProblem(parsed.data)
    throw new MobilePoolError('MP_HUB_PROTOCOL', 'the hub accepted the rotation and named none', { phase: 'hub' })
  }

  /** How far a rotation is; throws `HubProblem` `not_found` for one that the hub does not know. */
  async rotation(id: string, signal: AbortSignal): Promise<RotationJson> {
    return this.#json('GET', `api/v1/rotations/${id}`, undefined, rotation, signal)
  }

  /** Reports attempts; throws `HubProblem` when the hub does not take them. */
  async reportUsage(batch: UsageBatchJson, signal: AbortSignal): Promise<void> {
    await this.#json('POST', 'api/v1/usage', batch, usageReply, signal)
  }

  /** Tells the other pools of bans; throws `HubProblem` when the hub does not take them. */
  async reportBans(report: BanReportJson, signal: AbortSignal): Promise<void> {
    await this.#json('POST', 'api/v1/bans', report, banReply, signal)
  }

  /** All bans that pools have told and that last. */
  async bans(signal: AbortSignal): Promise<z.infer<typeof banList>> {
    return this.#json('GET', 'api/v1/bans', undefined, banList, signal)
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #json<Schema extends z.ZodType>(
    method: string,
    path: string,
    body: object | undefined,
    schema: Schema,
    signal: AbortSignal,
  ): Promise<z.infer<Schema>> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const reply = await this.#send(method, path, { signal, bodyTimeout: TIMEOUT_MS, ...sent })
    if (reply.statusCode > 299) throw await problemOf(reply)
    const parsed = schema.safeParse(await this.#orUnreachable(signal, () => readJson(reply)))
    if (parsed.success) return parsed.data
    const [issue] = parsed.error.issues
    throw new MobilePoolError(
      'MP_HUB_PROTOCOL',
      `the hub's answer to ${method} /${path} is not what its contract says (${issue?.path.join('.')}: ${issue?.message})`,
      { phase: 'hub' },
    )
  }

  async #send(method: string, path: string, options: SendOptions): Promise<Reply> {
    const url = new URL(path, this.#base)
    return this.#orUnreachable(options.signal, () =>
      request.call(this.#agent, {
        headersTimeout: TIMEOUT_MS,
        ...options,
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: { ...this.#headers, ...options.headers },
      }),
    )
  }

  /** A failure of the connection as `MP_HUB_UNREACHABLE`; after an abort, its reason. */
  async #orUnreachable<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      if (signal.aborted) throw signal.reason
      if (cause instanceof MobilePoolError || cause instanceof HubProblem) throw cause
      const why = cause instanceof Error ? ('code' in cause && String(cause.code)) || cause.message : String(cause)
      throw new MobilePoolError('MP_HUB_UNREACHABLE', `the hub at ${this.#base.origin} does not answer (${why})`, { phase: 'hub', cause })
    }
  }
}

interface SendOptions {
  readonly signal: AbortSignal
  /** How long the body may pause, ms. */
  readonly bodyTimeout: number
  readonly body?: string
  readonly headers?: Record<string, string>
  /** A connection of its own. */
  readonly reset?: boolean
}

async function* decode(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  for await (const chunk of body) yield decoder.decode(chunk, { stream: true })
}

async function readJson(reply: Reply): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of reply.body) {
    bytes += chunk.length
    if (bytes > MAX_REPLY_BYTES)
      throw new MobilePoolError('MP_HUB_PROTOCOL', `the hub's answer is longer than ${MAX_REPLY_BYTES} bytes`, { phase: 'hub' })
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch (cause) {
    throw new MobilePoolError('MP_HUB_PROTOCOL', 'the hub answered with something that is not JSON: is the URL that of a MobilePool hub?', {
      phase: 'hub',
      cause,
    })
  }
}

async function problemOf(reply: Reply): Promise<Error> {
  const body = problem.safeParse(await readJson(reply).catch(() => undefined))
  const said = body.success ? `: ${body.data.detail}` : ''
  if (reply.statusCode === 401 || reply.statusCode === 403)
    return new MobilePoolError('MP_HUB_REFUSED', `the hub refused (${reply.statusCode})${said}; check \`hub.token\``, {
      phase: 'hub',
      statusCode: reply.statusCode,
    })
  if (body.success) return new HubProblem(body.data)
  return new MobilePoolError('MP_HUB_PROTOCOL', `the hub answered ${reply.statusCode}`, { phase: 'hub', statusCode: reply.statusCode })
}
