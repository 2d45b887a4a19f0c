import { isIPv4 } from 'node:net'
import type { DeviceStatus } from '../driver.ts'
import type { GoformFields } from './goform.ts'

/** What is asked for a status. */
export const statusFields = [
  'ppp_status',
  'network_type',
  'network_provider',
  'signalbar',
  'modem_main_state',
  'simcard_roam',
  'battery_vol_percent',
  'wan_ipaddr',
] as const

const SIM_STATES: Readonly<Record<string, DeviceStatus['sim']>> = {
  modem_init_complete: 'ready',
  modem_sim_undetected: 'missing',
  modem_waitpin: 'locked',
  modem_waitpuk: 'locked',
}

/** What the stick says of itself. */
export function statusOf(fields: GoformFields): DeviceStatus {
  const { network_provider: operator, network_type: networkType, simcard_roam: roam } = fields
  const bars = numberOf(fields.signalbar, 5)
  const battery = numberOf(fields.battery_vol_percent, 100)
  const hasService = networkType && !/no service|limited/i.test(networkType)
  return {
    sim: SIM_STATES[fields.modem_main_state ?? ''] ?? 'unknown',
    isDown: sessionOf(fields) === 'disconnected',
    telemetry: {
      ...(operator ? { operator } : {}),
      ...(hasService ? { networkType } : {}),
      ...(bars === null ? {} : { signal: bars * 20 }),
      ...(battery === null ? {} : { battery }),
      ...(isIPv4(fields.wan_ipaddr ?? '') ? { innerIp: fields.wan_ipaddr } : {}),
      ...(roam ? { roaming: roam !== 'Home' } : {}),
    },
  }
}

/** The state of its data session. */
export function sessionOf({ ppp_status: state = '' }: GoformFields): 'connected' | 'disconnected' | 'between' {
  if (state === 'ppp_connected' || state === 'ipv6_connected' || state === 'ipv4_ipv6_connected') return 'connected'
  return state === 'ppp_disconnected' ? 'disconnected' : 'between'
}

function numberOf(text: string | undefined, most: number): number | null {
  if (!text || !/^\d+$/.test(text)) return null
  const number = Number(text)
  return number <= most ? number : null
}
