import type { ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { classifyAddress } from '@mobilepool/sdk/proxy-server'
import type { Logger } from 'pino'
import { createBackOff } from '../back-off.ts'
import type { Clock } from '../clock.ts'
import { AgentError } from '../errors.ts'
import { dialTunnel, StaleDial } from './dial.ts'
import { AgentSession } from './session.ts'

/** Between two dials of a hub that cannot be reached; together with the hub's own start this bounds how long a device is away. */
const MIN_WAIT_MS = 200
const MAX_WAIT_MS = 5_000
/** A hub that has no tunnels, or wants none of this device, may be another one later. */
const REFUSED_WAIT_MS = 60_000
/** A session that lasted this long was a good one: the next dial is made soon. */
const GOOD_SESSION_MS = 5_000
/** How often it is looked whether the device has another address. */
const LOOK_MS = 500
/** One connection that loses a packet holds up all of its streams: on a mobile link four are as fast as many (reference: tunnel.md). */
const SESSIONS_FAR = 4
/** Each connection that stands costs pings: those beside the first are let go when nothing went through the device for so long. */
const IDLE_MS = 60_000
/** Within one machine or LAN nothing is lost. */
const SESSIONS_NEAR = 1

export interface TunnelParts {
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  readonly url: string
  readonly deviceKey: string
  /** How many connections to keep; null: one where the hub is near, four elsewhere. */
  readonly sessions: number | null
  /** Opens a connection to the hub by the device's egress. */
  connect(signal: AbortSignal): Promise<Duplex>
  /** The address that the device's connections leave by now; null while it has none. */
  sourceAddress(): string | null
  onConnect(stream: ServerHttp2Stream, authority: string): void
  onControl(stream: ServerHttp2Stream): void
}

/**
 * Keeps connections to the hub by which it reaches the device. Where one is lost, or the device gets another address, it is dialled anew:
 * each change is a generation, by which the hub tells new sessions from old ones.
 */
export class Tunnel {
  readonly #parts: TunnelParts
  /** With the slot of each. */
  readonly #sessions = new Map<AgentSession, number>()
  #generation: number
  #dials = 0
  /** What the last dial left by. */
  #source: string | null = null
  #wanted: number
  /** When something last went through the device. */
  #busyAt = Number.NEGATIVE_INFINITY
  /** Aborts when what is being dialled, or waited for, is of no use any more. */
  #renewal = new AbortController()
  #hasTold: boolean = false
  #seenAs: string | null = null

  constructor(parts: TunnelParts) {
    this.#parts = parts
    // Greater than that of the agent that ran before, as long as clocks do not go back; the hub says so where one did.
    this.#generation = parts.clock.now()
    this.#wanted = parts.sessions ?? SESSIONS_NEAR
  }

  /** Connections to the hub that stand. */
  get sessions(): number {
    return this.#sessions.size
  }

  /** Cuts every session, and dials anew by the route as it is now: for when the device's address is about to go, or has gone. */
  renew(reason: string): void {
    this.#source = this.#parts.sourceAddress()
    this.#generation += 1
    for (const session of [...this.#sessions.keys()]) session.end(reason)
    this.#renewal.abort()
    this.#renewal = new AbortController()
  }

  /** The hub sees the device under this address now; where it is another one, finds out which sessions have survived that. */
  seenAs(exitIp: string): void {
    if (this.#seenAs !== null && this.#seenAs !== exitIp) this.#check()
    this.#seenAs = exitIp
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = (): void => this.renew('the agent stops')
    signal.addEventListener('abort', onAbort)
    const slots = new Map<number, Promise<void>>()
    const fill = (): void => {
      for (let slot = 0; slot < this.#wantedNow(); slot += 1) {
        if (slots.has(slot) || (slot > 0 && this.sessions === 0)) continue
        slots.set(
          slot,
          this.#keep(slot, signal).finally(() => slots.delete(slot)),
        )
      }
    }
    while (!signal.aborted) {
      this.#look()
      fill()
      await this.#parts.clock.sleep(LOOK_MS, signal).catch(() => {})
      const source = this.#parts.sourceAddress()
      if (source !== null && source !== this.#source && !signal.aborted) this.renew('the device has another address')
    }
    signal.removeEventListener('abort', onAbort)
    await Promise.all(slots.values())
  }

  #check(): void {
    for (const session of this.#sessions.keys()) session.check()
  }

  /** How many connections are to stand now: as configured, else few while nothing goes through the device. */
  #wantedNow(): number {
    if (this.#parts.sessions !== null) return this.#parts.sessions
    return this.#parts.clock.now() - this.#busyAt < IDLE_MS ? this.#wanted : 1
  }

  #look(): void {
    if ([...this.#sessions.keys()].some(({ streams }) => streams > 0)) this.#busyAt = this.#parts.clock.now()
    const wanted = this.#wantedNow()
    for (const [session, slot] of [...this.#sessions]) if (slot >= wanted) session.end('nothing goes through it')
  }

  async #keep(slot: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#parts
    const backOff = createBackOff(MIN_WAIT_MS, MAX_WAIT_MS, random)
    while (!signal.aborted && slot < this.#wantedNow()) {
      const { signal: renewed } = this.#renewal
      const from = performance.now()
      const refused = await this.#session(slot, renewed, signal)
      if (performance.now() - from > GOOD_SESSION_MS || renewed.aborted) backOff.reset()
      const waitMs = refused ? REFUSED_WAIT_MS / 2 + (random() * REFUSED_WAIT_MS) / 2 : backOff.next()
      // A renewal that came meanwhile has a route of its own to try.
      if (!renewed.aborted) await clock.sleep(waitMs, renewed).catch(() => {})
      else await clock.sleep(Math.min(waitMs, MIN_WAIT_MS), signal).catch(() => {})
    }
  }

  /** Dials once and stays until the session is over. True: the hub does not want it. */
  async #session(slot: number, renewed: AbortSignal, stop: AbortSignal): Promise<boolean> {
    const { log, url, deviceKey } = this.#parts
    const generation = this.#generation
    try {
      this.#source = this.#parts.sourceAddress()
      this.#dials += 1
      const offer = { generation, slot, dial: this.#dials }
      const dialled = await dialTunnel({ url, deviceKey, offer, connect: (signal) => this.#parts.connect(signal), signal: renewed })
      if (renewed.aborted || stop.aborted) {
        dialled.socket.on('error', () => {}).destroy()
        return false
      }
      this.#wanted = this.#parts.sessions ?? (isNear(dialled.socket, url) ? SESSIONS_NEAR : SESSIONS_FAR)
      const session = new AgentSession(dialled, this.#parts)
      this.#sessions.set(session, slot)
      log[this.#hasTold ? 'info' : 'debug']({ ...offer }, 'the hub reaches this device')
      this.#hasTold = false
      const reason = await session.ended
      this.#sessions.delete(session)
      // What has ended one may have ended all.
      this.#check()
      log.debug({ ...offer, reason }, 'a session of the tunnel is over')
      return false
    } catch (error) {
      if (renewed.aborted || stop.aborted) return false
      return this.#failed(error, generation)
    }
  }

  #failed(error: unknown, generation: number): boolean {
    if (error instanceof StaleDial) {
      // The clock went back between two starts. A dial of an earlier generation of this agent is just late.
      if (generation === this.#generation) this.#generation = Math.max(generation, error.generation) + 1
      return false
    }
    const isRefused = error instanceof AgentError && (error.code === 'hub_refused' || error.code === 'hub_unauthorized')
    const reason = error instanceof Error ? error.message : String(error)
    // Once loudly: a night without a hub shall not fill the disk.
    if (this.#sessions.size === 0) this.#tell(reason)
    return isRefused
  }

  #tell(reason: string): void {
    this.#parts.log[this.#hasTold ? 'debug' : 'warn']({ reason }, 'the hub cannot reach this device: no tunnel')
    this.#hasTold = true
  }
}

/** Whether the hub is on this machine or in its network. */
function isNear(socket: Duplex, url: string): boolean {
  const { remoteAddress } = socket as { remoteAddress?: unknown }
  if (typeof remoteAddress === 'string') return classifyAddress(remoteAddress) !== 'public'
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  return host === 'localhost' || (/^[\d.]+$|:/.test(host) && classifyAddress(host) !== 'public')
}
