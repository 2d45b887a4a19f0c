import type { Logger } from 'pino'
import { type Agent, agentOf } from './agent.ts'
import { createBackOff } from './back-off.ts'
import { systemClock } from './clock.ts'
import type { AgentConfig } from './config.ts'
import type { AgentStatus } from './control/status.ts'
import { AgentError } from './errors.ts'
import type { HoldLibrary } from './holds/hold-book.ts'
import { createLogger } from './logger.ts'

/** Between two starts of a device that fails. */
const MIN_WAIT_MS = 2_000
const MAX_WAIT_MS = 300_000

/** The devices of one process. */
export interface RunningDevices {
  /** By name; null: the device's agent is not running now. */
  statuses(): ReadonlyMap<string, AgentStatus | null>
  /** Resolves when all have ended after `stop`; rejects when one fails that is the only one. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/**
 * Runs the agents of several devices. What goes wrong with one is told in the log and tried again after a pause, and touches no other.
 * A single device's failure ends the run instead: whoever started it is told, and starts it again if that is wanted.
 */
export function runDevices(configs: readonly AgentConfig[], random: () => number = Math.random): RunningDevices {
  const stopping = new AbortController()
  const agents = new Map<string, Agent>()
  const library: HoldLibrary = new Set()
  const keep = configs.length === 1 ? runOnce : keepRunning
  const runs = configs.map((config) =>
    keep(config, { signal: stopping.signal, random, library, log: createLogger(config.logLevel, config.name) }, (agent) =>
      agents.set(config.name, agent),
    ),
  )
  const ended = Promise.all(runs).then(() => {})
  return {
    statuses: () => new Map(configs.map(({ name }) => [name, agents.get(name)?.status() ?? null])),
    ended,
    stop: async () => {
      stopping.abort()
      await ended
    },
  }
}

interface RunTools {
  readonly signal: AbortSignal
  readonly random: () => number
  readonly log: Logger
  readonly library: HoldLibrary
}

/** Runs one agent until it is to stop, or fails. */
async function runOnce(config: AgentConfig, { signal, log, library }: RunTools, onAgent: (agent: Agent) => void): Promise<void> {
  if (signal.aborted) return
  const agent = agentOf(config, { log, library })
  onAgent(agent)
  const stop = (): void => void agent.stop().catch(() => {})
  signal.addEventListener('abort', stop)
  try {
    await agent.start()
    await agent.ended()
  } catch (error) {
    if (!signal.aborted) throw error
    await agent.stop()
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

async function keepRunning(config: AgentConfig, tools: RunTools, onAgent: (agent: Agent) => void): Promise<void> {
  const { signal, random, log } = tools
  const backOff = createBackOff(MIN_WAIT_MS, MAX_WAIT_MS, random)
  while (!signal.aborted) {
    const from = performance.now()
    try {
      await runOnce(config, tools, onAgent)
    } catch (error) {
      if (performance.now() - from > MAX_WAIT_MS) backOff.reset()
      const waitMs = backOff.next()
      const isExpected = error instanceof AgentError
      log.error(
        { reason: isExpected ? error.message : String((error as Error).stack ?? error), waitMs },
        'this device cannot run now; the others go on',
      )
      await systemClock.sleep(waitMs, signal).catch(() => {})
    }
  }
}
