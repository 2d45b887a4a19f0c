import { isIPv4 } from 'node:net'
import type { CarrierGift } from '../after-connect.ts'
import type { DeviceStatus } from '../driver.ts'
import { mccMncOfParts } from '../mcc-mnc.ts'

/** The first thing in quotes behind this name, or null. */
const quoted = (text: string, name: string): string | null => new RegExp(`\\b${name}: +'([^']*)'`).exec(text)?.[1] ?? null

/** `--dms-get-operating-mode`: whether the radio is meant to be on; null: it does not say. */
export function isRadioOn(text: string): boolean | null {
  const mode = quoted(text, 'Mode')
  return mode === null ? null : mode === 'online'
}

/** `--wds-get-packet-service-status` */
export const isConnected = (text: string): boolean => quoted(text, 'Connection status') === 'connected'

/** `--uim-get-card-status`: of the first slot that holds a card. */
export function simOf(text: string): DeviceStatus['sim'] {
  const slot = text.split(/^Slot \[/m).find((part) => quoted(part, 'Card state') === 'present')
  if (slot === undefined) return quoted(text, 'Card state') === 'absent' ? 'missing' : 'unknown'
  const state = quoted(slot, 'Application state')
  if (state === 'ready') return 'ready'
  return state !== null && /pin|puk|blocked/.test(state) ? 'locked' : 'unknown'
}

const technologies: Readonly<Record<string, string>> = { '5gnr': '5G', lte: 'LTE', umts: 'UMTS', gsm: 'GSM' }

/** Where the modem is registered. */
export interface ServingSystem {
  readonly registration: 'registered' | 'denied' | 'searching'
  readonly telemetry: Pick<DeviceStatus['telemetry'], 'operator' | 'networkType' | 'roaming' | 'mccMnc'>
}

/** `--nas-get-serving-system` */
export function servingSystemOf(text: string): ServingSystem {
  const state = quoted(text, 'Registration state')
  const registration = state === 'registered' ? state : state === 'registration-denied' ? 'denied' : 'searching'
  if (registration !== 'registered') return { registration, telemetry: {} }
  // The same form of list follows for what the network could do.
  const list = /Radio interfaces: '\d+'\n((?:\s*\[\d+\]: '[^']*'\n)*)/.exec(text)?.[1] ?? ''
  const radios = [...list.matchAll(/: '([^']+)'/g)].map(([, radio = '']) => technologies[radio]).filter((name) => name)
  const networkType = radios.includes('5G') && radios.includes('LTE') ? '5G NSA' : radios[0]
  const operator = quoted(text, 'Description')
  const roaming = quoted(text, 'Roaming status')
  return {
    registration,
    telemetry: {
      ...(operator ? { operator } : {}),
      ...mccMncOfParts(quoted(text, 'MCC'), quoted(text, 'MNC')),
      ...(networkType ? { networkType } : {}),
      ...(roaming ? { roaming: roaming === 'on' } : {}),
    },
  }
}

/** RSRP that is as good as it gets, and where nothing works any more, in dBm. */
const BEST_DBM = -80
const WORST_DBM = -130

/** `--nas-get-signal-info`: the best radio's RSRP in per cent, or null where there is none. */
export function signalOf(text: string): number | null {
  const levels = [...text.matchAll(/\bRSRP: '(-?\d+)(?:\.\d+)? dBm'/g)].map(([, dbm]) => Number(dbm)).filter((dbm) => dbm < 0)
  if (levels.length === 0) return null
  const share = (Math.max(...levels) - WORST_DBM) / (BEST_DBM - WORST_DBM)
  return Math.round(Math.min(1, Math.max(0, share)) * 100)
}

/** `--wds-get-current-settings`: what the carrier gave. */
export function settingsOf(text: string): Omit<CarrierGift, 'interface'> {
  const line = (name: string): string | null => new RegExp(`^\\s*${name}: (\\S+)`, 'm').exec(text)?.[1] ?? null
  const mask = line('IPv4 subnet mask')
  return {
    method: 'static',
    address: line('IPv4 address'),
    prefix: mask !== null && isIPv4(mask) ? String(prefixOf(mask)) : null,
    gateway: line('IPv4 gateway address'),
    dns: [line('IPv4 primary DNS'), line('IPv4 secondary DNS')].filter((one) => one !== null && isIPv4(one)) as string[],
    mtu: line('MTU'),
  }
}

const prefixOf = (mask: string): number =>
  mask
    .split('.')
    .map((byte) => Number(byte).toString(2).replaceAll('0', '').length)
    .reduce((sum, bits) => sum + bits, 0)

/** What must be kept of a connection to end it. */
export interface Connection {
  readonly handle: string
  readonly client: string
}

/** `--wds-start-network ... --client-no-release-cid`, or null when it cannot be read. */
export function connectionOf(text: string): Connection | null {
  const handle = quoted(text, 'Packet data handle')
  const client = quoted(text, 'CID')
  return handle === null || client === null ? null : { handle, client }
}
