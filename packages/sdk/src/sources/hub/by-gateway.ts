import type { HubAddress } from './hub-client.ts'

/** Said in the user name: the hub learns of these requests from this pool's own reports, and its gateway need not write them down as well. */
const REPORTS_ITSELF = '-reports-own'

/**
 * The proxy URL of a device that only the hub's gateway reaches: the hub's `gateway_url` with the pool's key as the password.
 * A gateway that listens on all addresses, and was not told by which one clients reach it, names its loopback: then it is looked for on
 * the host where the pool reaches the hub. Null without a key, which the gateway wants of everybody.
 */
export function byGateway(gatewayUrl: string, { url: hub, token }: HubAddress): string | null {
  if (token === undefined) return null
  const url = new URL(gatewayUrl)
  if (isLoopback(url.hostname) && !isLoopback(hub.hostname)) url.hostname = hub.hostname
  url.username += REPORTS_ITSELF
  url.password = encodeURIComponent(token)
  return url.href.replace(/\/$/, '')
}

const isLoopback = (hostname: string): boolean => hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname)
