import type { DeviceDriver } from '../drivers/driver.ts'

/** Asked through the device, last, where the carrier's own do not answer: Cloudflare's and Google's. */
const PUBLIC_NAME_SERVERS = ['1.1.1.1', '8.8.8.8'] as const

/**
 * Which name servers to ask through a device: the configured ones; else the carrier's, then public ones. The system's are left out where
 * the device is an interface: a stub like 127.0.0.53 asks on by the host's own way out, and sites would see names asked for from there.
 * Empty: the system's.
 */
export function nameServersOf(configured: readonly string[], driver: Pick<DeviceDriver, 'link' | 'nameServers'>): readonly string[] {
  if (configured.length > 0) return configured
  if (!driver.link || driver.link.name === null) return driver.nameServers?.() ?? []
  return [...new Set([...(driver.nameServers?.() ?? []), ...PUBLIC_NAME_SERVERS])]
}
