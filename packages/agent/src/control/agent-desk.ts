import { rotationMethod } from '@mobilepool/sdk/contract'
import type { ProxyServer } from '@mobilepool/sdk/proxy-server'
import { z } from 'zod'
import type { CommandJournal } from '../commands/journal.ts'
import type { Heartbeat } from '../heartbeat.ts'
import { calibrate, calibration } from '../holds/calibrate.ts'
import type { HoldBook } from '../holds/hold-book.ts'
import type { OpenDevice } from '../open-device.ts'
import type { Recovery } from '../recovery/recovery.ts'
import { reportOf } from '../rotation/result.ts'
import type { PastRotation, Rotator } from '../rotation/rotator.ts'
import type { Identity } from '../state/identity.ts'
import type { TrafficGate } from '../traffic-gate.ts'
import type { OpenTunnel } from '../tunnel/open-tunnel.ts'
import { agentVersion } from '../version.ts'
import type { ControlRoute } from './control-server.ts'
import type { AgentStatus } from './status.ts'

/** The parts of a running agent that questions are about. */
export interface DeskParts {
  readonly device: OpenDevice
  readonly identity: Identity
  /** Where the proxy listens, `host:port`. */
  readonly proxyAddress: string
  readonly proxy: ProxyServer
  readonly tunnel: OpenTunnel
  readonly gate: TrafficGate
  readonly rotator: Rotator
  readonly recovery: Recovery
  readonly heartbeat: Heartbeat
  readonly journal: CommandJournal
  readonly book: HoldBook
  /** Aborts when the agent is to end. */
  readonly signal: AbortSignal
}

/** How long a rotation asked for at this machine may take, ms: three tries of a slow modem. */
const DEADLINE_MS = 150_000
const MAX_DEADLINE_MS = 900_000
const DRAIN_MS = 3_000

const rotateQuestion = z.strictObject({
  method: rotationMethod.nullable().default(null),
  deadline_ms: z.int().min(1_000).max(MAX_DEADLINE_MS).default(DEADLINE_MS),
})

/** Says how the agent does. */
export function statusReporter(parts: DeskParts): () => AgentStatus {
  const { device, identity, proxyAddress, proxy, tunnel, gate, rotator, recovery, heartbeat, journal } = parts
  const { config, clock } = device
  const startedAt = stamp(clock.now())
  return () => {
    const beat = heartbeat.last
    const counters = proxy.counters()
    return {
      name: identity.name,
      device_id: identity.deviceId,
      version: agentVersion,
      pid: process.pid,
      started_at: startedAt,
      hub: config.hub,
      driver: config.driver,
      proxy: proxyAddress,
      heartbeat: beat ? { at: stamp(beat.at), exit_ip: beat.exitIp, failure: beat.failure } : null,
      tunnel: { wanted: config.tunnel, sessions: tunnel.sessions() },
      is_rotating: rotator.isRotating,
      is_leaking: gate.isLeaking,
      last_rotation: rotator.last ? pastRotation(rotator.last) : null,
      rotations: rotator.counts,
      trouble: recovery.trouble && {
        since: stamp(recovery.trouble.since),
        found: recovery.trouble.finding,
        tried: [...recovery.trouble.tried],
      },
      recoveries: Object.fromEntries(recovery.counts),
      unreported: journal.unacknowledged().length,
      connections: proxy.activeCount + tunnel.exits.activeCount,
      bytes_up: counters.bytesUp + tunnel.exits.counters.bytesUp,
      bytes_down: counters.bytesDown + tunnel.exits.counters.bytesDown,
      telemetry: heartbeat.said?.telemetry ?? null,
    }
  }
}

/** What the agent can be asked while it runs. */
export function controlRoutes(parts: DeskParts, status: () => AgentStatus): Readonly<Record<string, ControlRoute>> {
  const { rotator, device, book, signal } = parts
  return {
    'GET /status': async () => status(),
    'POST /rotate': async (body) => {
      const { method, deadline_ms } = rotateQuestion.parse(body ?? {})
      const order = { method, drainMs: DRAIN_MS, deadlineAt: device.clock.now() + deadline_ms }
      // Whoever asked and left has switched the device off all the same: the rotation goes on to its end.
      await rotator.rotateHere(order, signal)
      return rotator.last ? pastRotation(rotator.last) : null
    },
    'GET /holds': async () => book.table(),
    'POST /calibrate': (body, gone) =>
      calibrationSteps(calibrate(calibration.parse(body ?? {}), { rotator, clock: device.clock, method: null }, { gone, stop: signal })),
  }
}

async function* calibrationSteps(steps: ReturnType<typeof calibrate>): AsyncGenerator<unknown> {
  for await (const { holdMs, rotation } of steps) yield { hold_ms: holdMs, rotation: pastRotation(rotation) }
}

/** A rotation as it is shown. */
export function pastRotation({ by, startedAt, endedAt, result }: PastRotation): NonNullable<AgentStatus['last_rotation']> {
  const { method, old_ip, new_ip, reason, detail } = reportOf(result)
  return {
    by,
    ended_at: stamp(endedAt),
    took_ms: Math.max(0, endedAt - startedAt),
    state: result.state,
    method,
    old_ip,
    new_ip,
    reason,
    detail,
  }
}

const stamp = (ms: number): string => new Date(ms).toISOString()
