import type { DeviceStatus } from '../driver.ts'

/** State of a registration (27.007): 0 idle, 1 home, 2 searching, 3 denied, 4 unknown, 5 roaming. */
export type Registration = 0 | 1 | 2 | 3 | 4 | 5

export const isRegistered = (registration: Registration): boolean => registration === 1 || registration === 5

/** `+CEREG: 2,1,...` as a reply to a question; a line with one number is said unasked, and is passed over. */
export function registrationOf(lines: readonly string[]): Registration | null {
  for (const line of lines) {
    const stat = /^\+C(?:E|G|5G)?REG: *\d+ *, *([0-5])(?:,|$)/.exec(line)?.[1]
    if (stat !== undefined) return Number(stat) as Registration
  }
  return null
}

/** `+CFUN: 4`, `+CGATT: 1`: the one number of a reply. */
export function numberOf(lines: readonly string[]): number | null {
  for (const line of lines) {
    const number = /^\+\w+: *(\d+)/.exec(line)?.[1]
    if (number !== undefined) return Number(number)
  }
  return null
}

/** Access technologies of `AT+COPS?` (27.007 7.3). */
const technologies: Readonly<Record<number, string>> = {
  0: 'GSM',
  2: 'UMTS',
  3: 'EDGE',
  4: 'HSDPA',
  5: 'HSUPA',
  6: 'HSPA',
  7: 'LTE',
  11: '5G',
  12: '5G',
  13: '5G NSA',
}

/** `+COPS: 0,0,"TestNet",7`. Mode 2 is "left the network on purpose". */
export function operatorOf(lines: readonly string[]): { mode: number | null; operator?: string; networkType?: string } {
  const [, mode, , operator, technology] = /^\+COPS: *(\d)(?:,(\d),"([^"]*)"(?:,(\d+))?)?/m.exec(lines.join('\n')) ?? []
  const networkType = technology === undefined ? undefined : technologies[Number(technology)]
  return {
    mode: mode === undefined ? null : Number(mode),
    ...(operator?.trim() ? { operator: operator.trim() } : {}),
    ...(networkType ? { networkType } : {}),
  }
}

/** Per cent of `+CSQ: 22,99`, as ModemManager counts it; 99 is unknown. */
export function signalOf(lines: readonly string[]): number | null {
  const rssi = numberOf(lines)
  return rssi === null || rssi > 31 ? null : Math.round((rssi * 100) / 31)
}

/** Per cent of a reference signal's power: -120 dBm is the edge of a cell, at -80 dBm nothing gets better any more. */
export const percentOfRsrp = (dbm: number): number => Math.round(Math.min(1, Math.max(0, (dbm + 120) / 40)) * 100)

/** Per cent of `+CESQ: 99,99,255,255,22,53`: the last is the reference signal's power, -141 dBm + n; 255 is unknown. */
export function extendedSignalOf(lines: readonly string[]): number | null {
  const rsrp = Number(/^\+CESQ: *(?:\d+ *, *){5}(\d+)/m.exec(lines.join('\n'))?.[1] ?? 255)
  return rsrp > 97 ? null : percentOfRsrp(rsrp - 141)
}

/** The first IPv4 address of `+CGPADDR: 1,"10.64.12.34"`; 0.0.0.0 is none. */
export function addressOf(lines: readonly string[]): string | null {
  const address = /^\+CGPADDR: *\d+ *, *"?(\d{1,3}(?:\.\d{1,3}){3})(?=["',\s]|$)/m.exec(lines.join('\n'))?.[1]
  return address === undefined || address === '0.0.0.0' ? null : address
}

/** `+CPIN: READY`, `+CPIN: SIM PIN`. */
export function simOf(lines: readonly string[]): DeviceStatus['sim'] {
  const state = /^\+CPIN: *(.+)$/m.exec(lines.join('\n'))?.[1]?.trim() ?? ''
  if (state === 'READY') return 'ready'
  return /PIN|PUK/.test(state) && !/^NOT/.test(state) ? 'locked' : 'unknown'
}
