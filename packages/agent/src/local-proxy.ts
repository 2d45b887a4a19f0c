import { isIPv6 } from 'node:net'
import { createProxyServer, type ExchangeSummary, fixedCredentials, type ProxyServer } from '@mobilepool/sdk/proxy-server'
import type { Egress } from './egress/egress.ts'
import type { Identity } from './state/identity.ts'

/** Makes the device's proxy: one password, everything by the device's egress. */
export function createLocalProxy(egress: Egress, identity: Identity, onClose: (summary: ExchangeSummary<string>) => void): ProxyServer {
  return createProxyServer({
    authenticate: fixedCredentials({ username: identity.proxyUsername, password: identity.proxyPassword }),
    connect: (target, { signal }) => egress.open(target, 'parser', signal),
    onClose,
  })
}

/** The URL by which parsers reach the proxy, with its credentials. `advertise` is `host` or `host:port`. */
export function proxyUrlOf(listening: { host: string; port: number }, advertise: string | undefined, identity: Identity): string {
  const ownHost = isIPv6(listening.host) ? `[${listening.host}]` : listening.host
  const authority =
    advertise === undefined ? `${ownHost}:${listening.port}` : /:\d+$/.test(advertise) ? advertise : `${advertise}:${listening.port}`
  return `http://${identity.proxyUsername}:${identity.proxyPassword}@${authority}`
}
