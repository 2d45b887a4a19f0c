import { echoReply } from '@mobilepool/sdk/contract'
import { getThroughProxy } from '../../../outbound/through-proxy.ts'
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
}

/** Measures the exit IP of a device through its own proxy; null when that cannot be told now. */
export type ExitProbe = (device: Pick<Device, 'proxyUrl'>, signal: AbortSignal) => Promise<string | null>

/** Whether a device's exit IP can be measured at all: it has a proxy, and there is an echo that it reaches. */
export function echoFor({ proxyUrl }: Pick<Device, 'proxyUrl'>, { exitIpUrl, publicUrl, ownUrl }: ProbeOptions): string | null {
  if (proxyUrl === null) return null
  if (exitIpUrl !== null) return exitIpUrl
  // A device elsewhere would find itself under a loopback address.
  const hub = publicUrl ?? (isLoopbackHost(new URL(proxyUrl).hostname) ? ownUrl() : null)
  return hub === null ? null : `${hub.replace(/\/+$/, '')}/api/v1/echo`
}

export const createExitProbe =
  (options: ProbeOptions): ExitProbe =>
  async (device, signal) => {
    const url = echoFor(device, options)
    if (url === null || device.proxyUrl === null) return null
    const { proxyUrl } = device
    const text = await getThroughProxy({ proxyUrl, url, timeoutMs: PROBE_TIMEOUT_MS, maxBytes: LONGEST_ECHO, signal })
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
