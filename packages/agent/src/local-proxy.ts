import { isIPv6 } from 'node:net'
import { createProxyServer, type ExchangeSummary, fixedCredentials, ProxyError, type ProxyServer } from '@mobilepool/sdk/proxy-server'
import { type AgentConfig, isLoopbackHost } from './config.ts'
import type { Egress } from './egress/egress.ts'
import { AgentError } from './errors.ts'
import type { Identity } from './state/identity.ts'

/** Makes the device's proxy: one password, everything by the device's egress. */
export function createLocalProxy(
  egress: Pick<Egress, 'open'>,
  identity: Identity,
  onClose: (summary: ExchangeSummary<string>) => void,
): ProxyServer {
  return createProxyServer({
    authenticate: fixedCredentials({ username: identity.proxyUsername, password: identity.proxyPassword }),
    connect: (target, { signal }) => egress.open(target, 'parser', signal),
    onClose,
  })
}

/** Starts to listen. Throws `bad_config` when the address cannot be had. */
export async function listen(proxy: ProxyServer, { host, port }: { host: string; port: number }): Promise<{ host: string; port: number }> {
  try {
    return await proxy.listen(port, host)
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    throw new AgentError('bad_config', `${error.message} Give another --listen.`, { cause: error })
  }
}

/**
 * What the hub is told of the proxy: its URL, or null where nobody else reaches it (`advertise` is `none`, or it listens on loopback and the hub
 * is on another machine): the device is then reached by its tunnel.
 */
export function announcedUrlOf(proxyUrl: string, { advertise, hub }: Pick<AgentConfig, 'advertise' | 'hub'>): string | null {
  if (advertise === 'none') return null
  const isApart = !isLoopbackHost(new URL(hub).hostname)
  return isApart && isLoopbackHost(new URL(proxyUrl).hostname) ? null : proxyUrl
}

/** The URL by which parsers reach the proxy, with its credentials. `advertise` is `host` or `host:port`, or `none`. */
export function proxyUrlOf(listening: { host: string; port: number }, advertise: string | undefined, identity: Identity): string {
  const ownHost = isIPv6(listening.host) ? `[${listening.host}]` : listening.host
  const authority =
    advertise === undefined || advertise === 'none'
      ? `${ownHost}:${listening.port}`
      : /:\d+$/.test(advertise)
        ? advertise
        : `${advertise}:${listening.port}`
  return `http://${identity.proxyUsername}:${identity.proxyPassword}@${authority}`
}
