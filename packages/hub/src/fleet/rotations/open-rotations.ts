import { setTimeout as delay } from 'node:timers/promises'
import type { HubConfig } from '../../config.ts'
import type { Send } from '../../outbound/outbound.ts'
import { CallRuns } from './call/call-runs.ts'
import { createExitProbe, echoFor, type ProbeOptions } from './call/exit-probe.ts'
import { type RotationParts, Rotations } from './rotations.ts'

/** Puts the parts of rotations together, and takes up those that were under way. @throws HubError `database_down` */
export function openRotations(
  config: HubConfig,
  parts: Omit<RotationParts, 'calls'> & { send: Send } & Pick<ProbeOptions, 'ownUrl' | 'dial'>,
): Promise<Rotations> {
  const { fleet, log, now, send, ownUrl, dial } = parts
  const probing = { exitIpUrl: config.exitIpUrl, publicUrl: config.publicUrl, ownUrl, dial }
  const calls = new CallRuns({
    send,
    probe: createExitProbe(probing),
    isMeasurable: (device) => echoFor(device, probing) !== null,
    see: (device, ip) => void fleet.see(device, ip),
    now,
    sleep: (ms, signal) => delay(ms, undefined, { signal }),
    log,
  })
  const options = {
    minIntervalMs: config.rotationMinIntervalMs,
    maxParallel: config.rotationMaxParallel,
    timeoutMs: config.rotationTimeoutMs,
    drainMs: config.rotationDrainMs,
    attempts: config.rotationAttempts,
    retryDelayMs: config.rotationRetryDelayMs,
    offlineWaitMs: config.rotationOfflineWaitMs,
  }
  return Rotations.load(options, { ...parts, calls })
}
