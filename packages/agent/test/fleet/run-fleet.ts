import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type RotationJson, rotateReply, rotation } from '@mobilepool/sdk/contract'
import { pino } from 'pino'
import type { createHub as CreateHub } from '../../../hub/src/index.ts'
import { seededRandom } from '../../sim/random.ts'
import { type Agent, createAgent } from '../../src/index.ts'

/** What a run of a fleet is to be. */
export interface FleetPlan {
  readonly seed: number
  readonly devices: number
  /** How long rotations are ordered, ms; those under way are then waited for. */
  readonly forMs: number
  /** The deadline of each. */
  readonly rotationMs: number
  /** Between two rotations of one device, on the average, ms. */
  readonly pauseMs: number
}

/** What came of it. */
export interface FleetReport {
  readonly rotations: number
  /** `changed`, `unchanged`, and the reasons of those that failed, with how many there were. */
  readonly ends: Readonly<Record<string, number>>
  /** Rotations without an end, or failed without a reason. Must be empty. */
  readonly wrong: readonly string[]
  /** Devices whose radio is off after everything. Must be empty. */
  readonly down: readonly string[]
  /** From the order to the verified new IP, of all devices, ms. */
  readonly changedMs: readonly number[]
  /** The same of devices without a fault, less what their simulator takes: holding and attaching. */
  readonly overheadMs: readonly number[]
}

const adminKey = 'mp_fleet-run-admin-key-0123456789abcdef'
/** Switching on is tried five times for ten seconds, and reported. */
const AFTER_DEADLINE_MS = 70_000
const STARTED_AT_ONCE = 20
const ATTACH_MS = 200
const HOLD_MS = 400

interface FleetDevice {
  readonly name: string
  readonly stateDir: string
  readonly isFaultless: boolean
  readonly agent: Agent
}

/** Runs a hub and its devices, half of them with random faults, and rotates them all the time. */
export async function runFleet(createHub: typeof CreateHub, plan: FleetPlan): Promise<FleetReport> {
  const folder = await mkdtemp(join(tmpdir(), 'mp-fleet-'))
  const random = seededRandom(plan.seed)
  const hub = await createHub({
    port: 0,
    dataDir: join(folder, 'hub'),
    adminKey,
    logLevel: 'silent',
    rotationMinIntervalMs: 0,
    rotationMaxParallel: 1,
    rotationAttempts: 1,
    rotationDrainMs: 0,
    rotationTimeoutMs: plan.rotationMs,
    apiRateLimit: 10_000_000,
    addressRateLimit: 10_000_000,
    maxDevices: Math.max(plan.devices + 10, 100),
  })
  const ask = async (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`${hub.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const devices: FleetDevice[] = []
  try {
    for (let from = 0; from < plan.devices; from += STARTED_AT_ONCE) {
      const some = Array.from({ length: Math.min(STARTED_AT_ONCE, plan.devices - from) }, (_, index) => startDevice(from + index))
      devices.push(...(await Promise.all(some)))
    }
    const until = performance.now() + plan.forMs
    const ended = (await Promise.all(devices.map((device) => rotateAgainAndAgain(device, until)))).flat()
    await Promise.all(devices.map(({ agent }) => agent.stop()))
    return await reportOf(ended)
  } finally {
    await Promise.all(devices.map(({ agent }) => agent.stop().catch(() => {})))
    await hub.close()
    await rm(folder, { recursive: true, force: true })
  }

  async function startDevice(index: number): Promise<FleetDevice> {
    const name = `sim-${index}`
    const isFaultless = index % 2 === 0
    const { token } = (await (await ask('POST', '/api/v1/agents/tokens', { name })).json()) as { token: string }
    const stateDir = join(folder, name)
    const driverOptions = {
      seed: plan.seed * 1_000 + index,
      firstAddress: `127.${20 + Math.floor(index / 200)}.${1 + (index % 200)}.1`,
      poolSize: 20,
      changeAfterHoldMs: 100,
      holdsMs: [HOLD_MS, 2 * HOLD_MS],
      attachDelayMs: ATTACH_MS,
      ...(isFaultless ? {} : faults()),
    }
    const agent = createAgent(
      { hub: hub.url, token, name, stateDir, driver: 'simulated', driverOptions },
      { log: pino({ level: 'silent' }) },
    )
    await agent.start()
    return { name, stateDir, isFaultless, agent }
  }

  /** Faults as `sim/knobs.ts` has them; each device has some. */
  function faults(): Record<string, unknown> {
    const maybe = (share: number, knob: Record<string, unknown>): Record<string, unknown> => (random() < share ? knob : {})
    return {
      ...maybe(0.3, { repeatProbability: 0.5 }),
      ...maybe(0.3, { stuckProbability: 0.2 }),
      ...maybe(0.2, { denyRegistration: 1 + Math.floor(random() * 3) }),
      ...maybe(0.2, { reenumerate: Math.floor(random() * 1_500) }),
      ...maybe(0.2, { lateReply: Math.floor(random() * 400) }),
      // Each lost answer is waited for for ten seconds, the first ones at the start.
      ...maybe(plan.forMs < 60_000 ? 0 : 0.1, { timeoutTimes: 3 }),
      ...maybe(0.1, { autoReconnectDuringHold: true }),
      ...maybe(0.1, { poolSize: 1 }),
      ...maybe(0.05, { simMissing: true }),
      ...maybe(0.05, { unauthorized: true }),
      attachDelayMs: [50, 1_500],
    }
  }

  async function rotateAgainAndAgain(device: FleetDevice, until: number): Promise<{ device: FleetDevice; rotation: RotationJson }[]> {
    const ended: { device: FleetDevice; rotation: RotationJson }[] = []
    await delay(random() * plan.pauseMs)
    while (performance.now() < until) {
      const reply = await ask('POST', `/api/v1/admin/devices/${device.name}/rotate`, {})
      if (reply.status === 202) ended.push({ device, rotation: await endOf(rotateReply.parse(await reply.json()).rotation.id) })
      else await reply.body?.cancel()
      await delay(random() * 2 * plan.pauseMs)
    }
    return ended
  }

  async function endOf(id: string): Promise<RotationJson> {
    const deadline = performance.now() + plan.rotationMs + AFTER_DEADLINE_MS
    for (;;) {
      const now = rotation.parse(await (await ask('GET', `/api/v1/rotations/${id}`)).json())
      if (now.ended_at !== null || performance.now() > deadline) return now
      await delay(100)
    }
  }

  async function reportOf(ended: readonly { device: FleetDevice; rotation: RotationJson }[]): Promise<FleetReport> {
    const ends: Record<string, number> = {}
    const wrong: string[] = []
    for (const { device, rotation: one } of ended) {
      const end = one.state === 'failed' ? (one.reason ?? 'no reason') : one.state
      ends[end] = (ends[end] ?? 0) + 1
      const isTold = one.state === 'changed' || one.state === 'unchanged' || (one.state === 'failed' && one.reason !== null)
      if (!isTold) wrong.push(`${device.name}: rotation ${one.id} is ${one.state} (${one.reason})`)
    }
    const down: string[] = []
    for (const { name, stateDir } of devices) {
      const modem = await readFile(join(stateDir, 'simulated-modem.json'), 'utf8').catch(() => '{}')
      if ((JSON.parse(modem) as { radio?: string }).radio === 'off') down.push(name)
    }
    const changed = ended.filter(({ rotation: { state } }) => state === 'changed')
    const took = ({ rotation: { duration_ms } }: { rotation: RotationJson }): number => duration_ms ?? 0
    return {
      rotations: ended.length,
      ends,
      wrong,
      down,
      changedMs: changed.map(took).sort((a, b) => a - b),
      overheadMs: changed
        .filter(({ device }) => device.isFaultless)
        .map((one) => took(one) - HOLD_MS - ATTACH_MS)
        .sort((a, b) => a - b),
    }
  }
}
