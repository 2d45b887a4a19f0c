import { type FaultyProxy, startFaultyProxy } from '../../../sdk/test/servers/faulty-proxy.ts'
import type { HubOptions } from '../../src/index.ts'
import { startHub, type TestHub } from '../hub.ts'

/** A hub with a gateway on a free port, and devices that it reaches; targets may be on loopback. */
export interface GatewayStage {
  readonly hub: TestHub
  /** A key of scope `proxy`. */
  readonly key: string
  /** The proxy URL for a user name; `key`: another password. */
  proxy(userName: string, key?: string): string
  /** Starts a device's proxy and adds the device; it has sent a heartbeat from its exit IP. */
  device(name: string, settings?: Record<string, unknown> & { exit?: string }): Promise<FaultyProxy>
  /** Another heartbeat of a device. */
  beat(name: string): Promise<void>
  close(): Promise<void>
}

export async function startGatewayStage(options: HubOptions = {}): Promise<GatewayStage> {
  const hub = await startHub({ proxyPort: 0, gatewayAllowPrivate: true, gatewayDrainMs: 0, ...options })
  const key = await hub.parserKey()
  const devices = new Map<string, FaultyProxy>()
  const beat = async (name: string): Promise<void> => {
    const { egress } = devices.get(name) ?? { egress: '127.10.9.9' }
    await hub.ask(`/proxy_server?name=${encodeURIComponent(name)}`, { from: egress })
  }
  return {
    hub,
    key,
    proxy: (userName, password = key) =>
      (hub.gatewayUrl ?? '').replace('://', `://${encodeURIComponent(userName)}:${encodeURIComponent(password)}@`),
    async device(name, { exit = `127.10.${devices.size + 1}.1`, ...settings } = {}) {
      const proxy = await startFaultyProxy({ egress: exit })
      devices.set(name, proxy)
      await beat(name)
      await hub.addDevice({ name, proxy_url: proxy.url, ...settings })
      return proxy
    },
    beat,
    async close() {
      await hub.remove()
      await Promise.all([...devices.values()].map((device) => device.close()))
    },
  }
}
