import type { DeviceStatus } from '../driver.ts'
import { mccMncOf } from '../mcc-mnc.ts'
import type { ModemReply } from './replies.ts'

const technologies: Readonly<Record<string, string>> = {
  '5gnr': '5G',
  lte: 'LTE',
  'hspa-plus': 'HSPA+',
  hspa: 'HSPA',
  hsupa: 'HSUPA',
  hsdpa: 'HSDPA',
  umts: 'UMTS',
  edge: 'EDGE',
  gprs: 'GPRS',
  gsm: 'GSM',
}

/** Whether somebody switched it off, or nobody connected it: both are mended by `up()`. One that searches is neither. */
const isDown = ({ state, power }: Pick<ModemReply, 'state' | 'power'>): boolean =>
  state === 'disabled' || state === 'disabling' || state === 'registered' || power === 'low' || power === 'off'

/** What ModemManager says of the modem. */
export function statusOf(modem: ModemReply): DeviceStatus {
  const { operator, registration, signal } = modem
  const names = modem.technologies.map((name) => technologies[name] ?? name.toUpperCase())
  const networkType = names.includes('5G') && names.includes('LTE') ? '5G NSA' : names[0]
  const isHeard = registration === 'home' || registration === 'roaming'
  const percent = Number(signal.value ?? Number.NaN)
  return {
    sim: simOf(modem),
    isDown: isDown(modem),
    telemetry: {
      ...(operator ? { operator } : {}),
      ...mccMncOf(modem.operatorCode),
      ...(networkType ? { networkType } : {}),
      ...(isHeard && percent >= 0 && percent <= 100 ? { signal: percent } : {}),
      ...(isHeard ? { roaming: registration === 'roaming' } : {}),
    },
  }
}

function simOf({ state, failure, sim, unlock }: ModemReply): DeviceStatus['sim'] {
  if (state === 'failed' && failure?.startsWith('sim-')) return 'missing'
  // PIN2 guards the SIM's phone book limits, not the network.
  if (state === 'locked' && unlock !== null && !unlock.endsWith('2')) return 'locked'
  return sim === null ? 'unknown' : 'ready'
}
