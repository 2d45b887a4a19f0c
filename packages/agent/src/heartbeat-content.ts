import { type AgentHeartbeatJson, type RotationMethod, toSnake } from '@mobilepool/sdk/contract'
import type { OpenDevice } from './open-device.ts'
import type { Recovered } from './recovery/recovery.ts'
import { agentVersion } from './version.ts'

/** Composes heartbeats; `proxyUrl`: what is announced of the proxy; `recovered`: the last trouble that is over. What the device does not say now is left out, or, of its methods, as it was last known. */
export function heartbeatComposer(
  device: Pick<OpenDevice, 'driver' | 'call'>,
  { proxyUrl, recovered }: { readonly proxyUrl: string | null; readonly recovered: () => Recovered | null },
): () => Promise<AgentHeartbeatJson> {
  const { driver, call } = device
  let methods: RotationMethod[] = []
  return async () => {
    const ladder = await call((signal) => driver.ladder(signal)).catch(() => null)
    if (ladder) methods = [...new Set(ladder.map((rung) => rung.method))]
    const status = await call((signal) => driver.status(signal)).catch(() => null)
    const last = recovered()
    const recovery = last && {
      recovered_at: new Date(last.at).toISOString(),
      recovered_by: last.by,
      recovered_after_s: Math.round(last.tookMs / 1_000),
    }
    return {
      agent_version: agentVersion,
      proxy_url: proxyUrl,
      methods,
      ...(status ? { telemetry: { ...toSnake(status.telemetry), sim: status.sim, ...recovery } } : {}),
    }
  }
}
