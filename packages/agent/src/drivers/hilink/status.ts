import { isIPv4 } from 'node:net'
import type { DeviceStatus } from '../driver.ts'
import { mccMncOf } from '../mcc-mnc.ts'
import type { Fields } from './xml.ts'

/** Values of `ConnectionStatus`. */
export const connection = { connected: '901', disconnected: '902' } as const

/** What the stick says of itself, put together from its answers; an answer that it refuses is empty. */
export function statusOf(answers: {
  /** `/api/monitoring/status` */
  readonly monitoring: Fields
  /** `/api/net/current-plmn` */
  readonly network: Fields
  /** `/api/pin/status` */
  readonly pin: Fields
  /** `/api/dialup/mobile-dataswitch` */
  readonly data: Fields
}): DeviceStatus {
  const { monitoring, network, pin, data } = answers
  const operator = network.FullName || network.ShortName || network.Numeric
  const networkType = networkTypeOf(monitoring)
  const signal = signalOf(monitoring)
  return {
    sim: simOf(pin, monitoring),
    isDown: data.dataswitch === undefined ? monitoring.ConnectionStatus === connection.disconnected : data.dataswitch === '0',
    telemetry: {
      ...(operator ? { operator } : {}),
      ...mccMncOf(network.Numeric),
      // Newer firmware says it elsewhere, behind the login, or not at all.
      ...(isIPv4(monitoring.WanIPAddress ?? '') ? { innerIp: monitoring.WanIPAddress } : {}),
      ...(networkType ? { networkType } : {}),
      ...(signal === null ? {} : { signal }),
      ...(monitoring.RoamingStatus === undefined ? {} : { roaming: monitoring.RoamingStatus === '1' }),
    },
  }
}

function simOf(pin: Fields, { SimStatus }: Fields): DeviceStatus['sim'] {
  switch (pin.SimState) {
    case '257':
    case '258':
      return 'ready'
    case '255':
      return 'missing'
    case '260':
    case '261':
      return 'locked'
  }
  if (SimStatus === '1') return 'ready'
  return SimStatus === '255' ? 'missing' : 'unknown'
}

function networkTypeOf({ CurrentNetworkType, CurrentNetworkTypeEx }: Fields): string | null {
  switch (CurrentNetworkTypeEx) {
    case '101':
      return 'LTE'
    case '1011':
      return 'LTE-CA'
    case '111':
      return '5G'
  }
  const type = Number(CurrentNetworkType)
  if (type === 19) return 'LTE'
  if (type >= 1 && type <= 3) return '2G'
  return type >= 4 && type <= 9 ? '3G' : null
}

function signalOf({ SignalIcon, maxsignal }: Fields): number | null {
  const bars = Number.parseInt(SignalIcon ?? '', 10)
  const most = Number.parseInt(maxsignal ?? '', 10) || 5
  return Number.isNaN(bars) ? null : Math.min(100, Math.max(0, Math.round((bars / most) * 100)))
}
