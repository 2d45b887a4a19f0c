import type { Duplex } from 'node:stream'
import { echoReply } from '@mobilepool/sdk/contract'
import type { ProxyTarget } from '@mobilepool/sdk/proxy-server'
import { getThroughProxy } from '../../../outbound/through-proxy.ts'
import { getThroughTunnel } from '../../../outbound/through-tunnel.ts'
import { isLoopbackHost, normalAddress } from '../../address.ts'
import type { Device } from '../../device.ts'

/** A device that rotates hangs more often than it refuses. */
const PROBE_TIMEOUT_MS = 5_000
/** An echo answers in a few bytes; more is some other page. */
const LONGEST_ECHO = 4_096

export interface ProbeOptions {
  /** EXIT_IP_URL: an echo that answers with the address as text, or JSON with a field `ip`. */
  exitIpUrl: string | null
  /** PUBLIC_URL: where devices reach this hub. */
  publicUrl: string | null
  /** Where this machine reaches this hub; null before it listens. */
  ownUrl: () => string | null
  /** Opens a connection by the tunnel of a device that nobody can dial. */
  dial: (deviceId: string, target: ProxyTarget, signal: AbortSignal) => Promise<Duplex>
}

/** What of a device tells whether and how it is reached. */
export type ProbedDevice = Pick<Device, 'id' | 'proxyUrl' | 'tunnel'>

/** Measures the exit IP of a device through its own proxy, or by its tunnel; null when that cannot be told now. */
export type ExitProbe = (device: ProbedDevice, signal: AbortSignal) => Promise<string | null>

/**
 * Whether a device's exit IP can be measured at all: it has a proxy or has had a tunnel (which comes back), and there is an echo that it
 * reaches.
 */
export function echoFor({ proxyUrl, tunnel }: Omit<ProbedDevice, 'id'>, options: Omit<ProbeOptions, 'dial'>): string | null {
  const { exitIpUrl, publicUrl, ownUrl } = options
  if (proxyUrl === null && tunnel === null) return null
  if (exitIpUrl !== null) return exitIpUrl
  // A device elsewhere would find itself under a loopback address.
  const hub = publicUrl ?? (proxyUrl !== null && isLoopbackHost(new URL(proxyUrl).hostname) ? ownUrl() : null)
  return hub === null ? null : `${hub.replace(/\/+$/, '')}/api/v1/echo`
}

export const createExitProbe =
  (options: ProbeOptions): ExitProbe =>
  async (device, signal) => {
    const url = echoFor(device, options)
    if (url === null) return null
    const { id, proxyUrl } = device
    const asked = { url, timeoutMs: PROBE_TIMEOUT_MS, maxBytes: LONGEST_ECHO, signal }
    const text =
      proxyUrl === null
        ? await getThroughTunnel({ ...asked, dial: (target, stop) => options.dial(id, target, stop) })
        : await getThroughProxy({ ...asked, proxyUrl })
    return text === null ? null : addressIn(text)
  }

/** The address in an echo's answer, as text or as JSON. */
function addressIn(text: string): string | null {
  const trimmed = text.trim()
  if (!trimmed.startsWith('{')) return normalAddress(trimmed)
  try {
    return normalAddress(echoReply.loose().partial().parse(JSON.parse(trimmed)).ip)
  } catch {
    return null
  }
}
