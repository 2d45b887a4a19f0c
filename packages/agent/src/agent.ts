import type { Logger } from 'pino'
import { createBackOff } from './back-off.ts'
import { type Clock, systemClock } from './clock.ts'
import { CommandLoop } from './commands/command-loop.ts'
import { CommandJournal } from './commands/journal.ts'
import { type AgentConfig, type AgentConfigInput, parseConfig } from './config.ts'
import { controlRoutes, statusReporter } from './control/agent-desk.ts'
import { serveControl } from './control/control-server.ts'
import type { AgentStatus } from './control/status.ts'
import { ensureEnrolled } from './enrolment.ts'
import { AgentError } from './errors.ts'
import { Heartbeat } from './heartbeat.ts'
import { heartbeatComposer } from './heartbeat-content.ts'
import { HoldBook, type HoldLibrary } from './holds/hold-book.ts'
import { holdPorts } from './holds/hold-ports.ts'
import { announcedUrlOf, createLocalProxy, listen, proxyUrlOf } from './local-proxy.ts'
import { createLogger } from './logger.ts'
import { type OpenDevice, openDevice } from './open-device.ts'
import { Recovery } from './recovery/recovery.ts'
import { Rotator } from './rotation/rotator.ts'
import { endInterrupted, switchOn } from './start-up.ts'
import { together } from './traffic.ts'
import { TrafficGate } from './traffic-gate.ts'
import { openTunnel } from './tunnel/open-tunnel.ts'

/** Waits between tries to reach the hub for orders. */
const MIN_WAIT_MS = 1_000
const MAX_WAIT_MS = 30_000
/** How long a stopping agent may take to report the result that it has just got. */
const LAST_REPORT_MS = 3_000

/** How often the log repeats that the hub does not know this device. */
const TELL_AGAIN_MS = 600_000

/** What a started agent is. */
export interface AgentInfo {
  readonly name: string
  readonly deviceId: string
  /** Where parsers reach the device, with credentials. */
  readonly proxyUrl: string
}

/** One device's agent. */
export interface Agent {
  /**
   * Enrols the device on its first start, and resolves when its proxy takes requests. Throws `AgentError`: `state_dir`, `not_enrolled`,
   * `enroll_refused`, `bad_config`.
   */
  start(): Promise<AgentInfo>
  /** How it does; null while it is not started. */
  status(): AgentStatus | null
  /** After `start`: resolves when the agent has been stopped, rejects when it failed. */
  ended(): Promise<void>
  /** Ends a rotation under way as `canceled`, with the device switched on again, and closes everything. */
  stop(): Promise<void>
}

/** What can be put in the place of the real thing. */
export interface AgentTools {
  clock?: Clock
  random?: () => number
  log?: Logger
  /** Shared by the agents of one process, what one of them learns of a carrier counts for all. */
  library?: HoldLibrary
}

/** Makes an agent; throws `bad_config` with every problem of the configuration. */
export const createAgent = (input: AgentConfigInput, tools: AgentTools = {}): Agent => agentOf(parseConfig(input), tools)

/** Makes an agent of a configuration that has been checked. */
export function agentOf(config: AgentConfig, tools: AgentTools = {}): Agent {
  const stopping = new AbortController()
  let running: Promise<RunningAgent> | null = null
  let started: RunningAgent | null = null
  return {
    start: async () => {
      running ??= launch(config, tools, stopping.signal)
      started = await running
      return started.info
    },
    status: () => started?.status() ?? null,
    ended: async () => (await running)?.ended,
    stop: async () => {
      stopping.abort(new AgentError('canceled', 'The agent was stopped.'))
      const agent = await running?.catch(() => null)
      await agent?.ended
    },
  }
}

interface RunningAgent {
  readonly info: AgentInfo
  readonly status: () => AgentStatus
  /** Resolves when everything is closed, after the signal has aborted; rejects when something of the agent failed that cannot. */
  readonly ended: Promise<void>
}

async function launch(config: AgentConfig, tools: AgentTools, signal: AbortSignal): Promise<RunningAgent> {
  const device = await openDevice(config, {
    clock: tools.clock ?? systemClock,
    random: tools.random ?? Math.random,
    log: tools.log ?? createLogger(config.logLevel, config.name),
  })
  try {
    return await serve(device, tools.library ?? new Set(), signal)
  } catch (error) {
    await device.close()
    throw error
  }
}

async function serve(device: OpenDevice, library: HoldLibrary, outer: AbortSignal): Promise<RunningAgent> {
  const { config, clock, log, dir, driver, egress, hub } = device
  // What fails here ends all of this device's tasks, not the process: others may have devices in it.
  const failing = new AbortController()
  const signal = AbortSignal.any([outer, failing.signal])
  await switchOn(device)
  const identity = await ensureEnrolled(device, outer)
  const journal = await CommandJournal.open(dir, log)
  const book = await HoldBook.open(dir, config.driver)
  library.add(book)

  const proxy = createLocalProxy(egress, identity, (summary) => log.debug(summary, 'exchange'))
  const tunnel = openTunnel(device, identity.deviceKey)
  const traffic = together([proxy, tunnel.exits])
  const gate = new TrafficGate(traffic, [...driver.hostAddresses, ...config.hostAddresses])
  const rotator = new Rotator({
    clock,
    log,
    driver,
    traffic,
    gate,
    egress,
    hub: { echo: (probing) => hub.echo(probing), report: (...report) => tunnel.line.report(...report) },
    journal,
    holds: holdPorts(device, book, library),
    cutHub: () => {
      hub.reset()
      tunnel.renew('the device changes its address')
    },
    onEnd: () => heartbeat.beatNow(),
  })
  const proxyUrl = proxyUrlOf(await listen(proxy, config.listen), config.advertise, identity)

  const heartbeat: Heartbeat = new Heartbeat({
    clock,
    log,
    hub: tunnel.line,
    name: identity.name,
    everyMs: config.heartbeatMs,
    isRotating: () => rotator.isRotating,
    compose: heartbeatComposer(device, { proxyUrl: announcedUrlOf(proxyUrl, config), recovered: () => recovery.last }),
    onSeen: (exitIp) => {
      tunnel.seenAs(exitIp)
      const wasLeaking = gate.isLeaking
      if (gate.see(exitIp) || wasLeaking) return
      log.error({ exitIp }, "traffic leaves by the host's own address, not by the device's: nothing is let through until it does")
    },
  })
  let toldAt = Number.NEGATIVE_INFINITY
  const recovery: Recovery = new Recovery({
    clock,
    log,
    driver,
    mayCure: config.recovery,
    isHeard: () => heartbeat.isHeard,
    hasNameServer: () => egress.hasNameServer(),
    isBusy: () => rotator.isBusy,
    alone: (run) => rotator.alone(run),
    cut: () => {
      traffic.destroyConnections()
      hub.reset()
      tunnel.renew('the device is being brought back')
      egress.reset()
    },
    beatNow: () => heartbeat.beatNow(),
  })
  const commands = new CommandLoop({
    clock,
    log,
    hub: tunnel.line,
    journal,
    backOff: createBackOff(MIN_WAIT_MS, MAX_WAIT_MS, device.random),
    execute: (order, stop) => rotator.rotate(order, stop),
    onUnauthorized: (error) => {
      if (clock.now() < toldAt + TELL_AGAIN_MS) return
      toldAt = clock.now()
      const remedy = `If it was removed there on purpose, stop this agent. Otherwise delete ${dir.path}/device.json, create a new token on the hub and start the agent with --token.`
      log.error(`${error.message} ${remedy}`)
    },
  })

  const desk = {
    device,
    identity,
    proxyAddress: new URL(proxyUrl).host,
    proxy,
    tunnel,
    gate,
    rotator,
    recovery,
    heartbeat,
    journal,
    book,
    signal,
  }
  const status = statusReporter(desk)
  const control = await serveControl(dir.path, controlRoutes(desk, status), log)

  const takeOrders = async (): Promise<void> => {
    await endInterrupted(journal, rotator, log, signal).catch((error: Error) => log.error(error.message))
    await commands.run(signal)
  }
  const tasks = Promise.all([takeOrders(), heartbeat.run(signal), tunnel.run(signal), recovery.run(signal)])
  tasks.catch((error: unknown) => failing.abort(error))
  const end = async (): Promise<void> => {
    try {
      await tasks
      await commands.deliverWithin(LAST_REPORT_MS)
    } finally {
      library.delete(book)
      await control.close()
      await proxy.close()
      await device.close()
      log.info('stopped')
    }
  }
  log.info({ deviceId: identity.deviceId, proxy: new URL(proxyUrl).host, hub: config.hub }, 'ready')
  return { info: { name: identity.name, deviceId: identity.deviceId, proxyUrl }, status, ended: end() }
}
