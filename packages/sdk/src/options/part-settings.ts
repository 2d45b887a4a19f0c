import { BanRules } from '../bans/ban-rules.ts'
import { listRules } from '../bans/list-rules.ts'
import type { AgentSettings } from '../clients/agents/agent-carrier.ts'
import type { CoreSettings } from '../core/pool-core.ts'
import type { EngineSettings } from '../dispatch/dispatch-engine.ts'
import type { TransportSettings } from '../dispatch/transport.ts'
import type { TriggerSettings } from '../rotation/triggers.ts'
import { poolDefaults as defaults } from './pool-options.ts'
import type { PoolSettings } from './schema.ts'

/** What each part of a pool needs of its options. */
export const coreSettings = ({ perDevice, queue, ban, eject }: PoolSettings): CoreSettings => ({
  limits: {
    concurrency: perDevice.concurrency,
    requestsPerMinute: perDevice.requestsPerMinute ?? null,
    burst: perDevice.burst,
    concurrentPerSite: perDevice.concurrentPerSite ?? null,
  },
  queue,
  ejection: eject === false ? null : { ...eject, successRate: eject.successRate === false ? null : eject.successRate },
  quarantine: { quarantineMs: ban === false ? defaults.ban.quarantineMs : ban.quarantineMs },
})

const banRulesOf = (ban: PoolSettings['ban']): BanRules =>
  ban === false ? new BanRules([], defaults.ban.inspect) : new BanRules(listRules(ban), ban.inspect)

export const engineSettings = ({ retry, ban, timeouts, hedge, exposeHeaders, queue, hashKey }: PoolSettings): EngineSettings => ({
  retry: retry === false ? { ...defaults.retry, attempts: 1 } : retry,
  rules: { bans: banRulesOf(ban), retryStatuses: new Set(retry === false ? [] : retry.statuses) },
  firstByteTimeoutMs: timeouts.firstByteMs,
  bodyTimeoutMs: timeouts.bodyMs,
  hedge: hedge === false ? null : hedge,
  exposeHeaders,
  queueTimeoutMs: queue.timeoutMs,
  queueMax: queue.max,
  hashKeyOf: hashKey,
})

export const transportSettings = ({
  timeouts,
  keepAlive,
  requestTls,
  proxyTls,
  http2,
}: PoolSettings): Omit<TransportSettings, 'onConnected' | 'dial'> => ({
  connectTimeoutMs: timeouts.connectMs,
  idleMs: keepAlive.idleMs,
  maxIdleMs: keepAlive.maxIdleMs,
  maxIdlePerDevice: keepAlive.maxIdlePerDevice,
  http2,
  requestTls,
  proxyTls,
})

export const agentSettings = ({ keepAlive, requestTls }: PoolSettings): AgentSettings => ({ idleMs: keepAlive.idleMs, requestTls })

export const triggerSettings = ({ rotate, queue }: PoolSettings): TriggerSettings => ({
  everyMs: rotate.everyMs ?? null,
  afterRequests: rotate.afterRequests ?? null,
  onBanCount: rotate.onBan?.count ?? null,
  onSessionEnd: rotate.onSessionEnd,
  minIntervalMs: rotate.minIntervalMs,
  minSiteIntervalMs: rotate.minSiteIntervalMs,
  maxParallel: rotate.maxParallel,
  maxShare: rotate.maxShare,
  // The rotation itself takes its part of the time that a request may wait.
  patienceMs: queue.timeoutMs / 2,
})
