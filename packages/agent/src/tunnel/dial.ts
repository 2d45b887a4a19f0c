import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type TunnelOffer, tunnelGenerationHeader, tunnelPath, tunnelPingHeader, tunnelProtocol } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { AgentError } from '../errors.ts'
import { checkAnswer, unreachable } from '../hub/hub-answer.ts'

// An ESM `import` of node:http reads all of its exports, lazy ones too: on Node 24 that installs the built-in undici's global dispatcher.
const { request } = process.getBuiltinModule('node:http')

const ANSWER_TIMEOUT_MS = 10_000
const MAX_REFUSAL_BYTES = 64 * 1024
/** What a hub pings by that does not say. */
const USUAL_PING_MS = 5_000
/** Bounds of what is believed. */
const PING_MS = { min: 50, max: 60_000 } as const

/** A connection that the hub has taken for a tunnel. */
export interface Dialled {
  readonly socket: Duplex
  /** How often the hub pings a session in use, ms. */
  readonly pingMs: number
}

/** The hub has sessions that are newer than this dial. */
export class StaleDial extends Error {
  /** The generation that the hub has. */
  readonly generation: number

  constructor(generation: number) {
    super(`The hub has sessions of generation ${generation}.`)
    this.generation = generation
  }
}

export interface Dial {
  /** The hub's URL, without a slash at its end. */
  readonly url: string
  readonly deviceKey: string
  readonly offer: TunnelOffer
  /** Opens the connection to the hub, with TLS where the URL has it. */
  readonly connect: (signal: AbortSignal) => Promise<Duplex>
  readonly signal: AbortSignal
}

/**
 * Dials the hub and asks it to use the connection the other way round. Throws `StaleDial`, `AgentError` `hub_unreachable`,
 * `hub_unauthorized`, or `hub_refused` (also where the hub has no tunnels), and the signal's reason.
 */
export async function dialTunnel({ url, deviceKey, offer, connect, signal }: Dial): Promise<Dialled> {
  const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
  const either = AbortSignal.any([signal, timeout])
  let socket: Duplex | null = null
  try {
    socket = await connect(either)
    const reply = await ask(socket, { url, deviceKey, offer, signal: either })
    if (reply.statusCode !== 101) throw await refusal(reply, url)
    await written(socket, either)
    const said = Number(reply.headers[tunnelPingHeader])
    const pingMs = said >= PING_MS.min && said <= PING_MS.max ? said : USUAL_PING_MS
    return { socket, pingMs }
  } catch (error) {
    socket?.on('error', () => {}).destroy()
    if (signal.aborted) throw signal.reason
    if (error instanceof AgentError || error instanceof StaleDial) throw error
    throw timeout.aborted
      ? new AgentError('hub_unreachable', `The hub at ${url} did not answer within ${ANSWER_TIMEOUT_MS} ms.`)
      : unreachable(url, error)
  }
}

function ask(
  socket: Duplex,
  { url, deviceKey, offer, signal }: Pick<Dial, 'url' | 'deviceKey' | 'offer' | 'signal'>,
): Promise<IncomingMessage> {
  const { host, pathname } = new URL(url)
  const query = new URLSearchParams({ generation: String(offer.generation), slot: String(offer.slot), dial: String(offer.dial) })
  return new Promise((resolve, reject) => {
    const onAbort = (): void => void asked.destroy(signal.reason)
    const asked = request({
      createConnection: () => socket,
      path: `${pathname.replace(/\/$/, '')}${tunnelPath}?${query}`,
      headers: { host, connection: 'Upgrade', upgrade: tunnelProtocol, authorization: `Bearer ${deviceKey}` },
    })
    asked.on('error', reject)
    asked.on('close', () => signal.removeEventListener('abort', onAbort))
    asked.on('response', resolve)
    asked.on('upgrade', (reply, _socket, head) => {
      signal.removeEventListener('abort', onAbort)
      if (head.length > 0) socket.unshift(head)
      resolve(reply)
    })
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
    asked.end()
  })
}

/**
 * Resolves when what was written is known to have left. A hub nearby answers before that, and on TLS, HTTP/2 over a write under way aborts the
 * process (reference: tunnel.md, pitfall 1).
 */
async function written(socket: Duplex, signal: AbortSignal): Promise<void> {
  while (socket.writableLength > 0 && !socket.destroyed) {
    signal.throwIfAborted()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function refusal(reply: IncomingMessage, url: string): Promise<Error> {
  const generation = Number(reply.headers[tunnelGenerationHeader])
  let text = ''
  for await (const chunk of reply) {
    text += String(chunk)
    if (text.length > MAX_REFUSAL_BYTES) break
  }
  if (reply.statusCode === 404 || reply.statusCode === 426) {
    const why = 'it is older than this agent, or a proxy in front of it does not pass "Upgrade" on'
    return new AgentError('hub_refused', `The hub at ${url} takes no tunnels: ${why}.`)
  }
  if (reply.statusCode === 409 && Number.isSafeInteger(generation)) return new StaleDial(generation)
  const answer = { url, status: reply.statusCode ?? 0, text, date: Number.NaN, location: reply.headers.location ?? null }
  try {
    checkAnswer(answer, z.never())
  } catch (error) {
    if (error instanceof Error) return error
  }
  return new AgentError('hub_refused', `What answers at ${url} takes no tunnels.`)
}
