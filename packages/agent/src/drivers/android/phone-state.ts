import type { DeviceStatus } from '../driver.ts'
import { mccMncOf } from '../mcc-mnc.ts'
import { findCell } from './cell-interface.ts'

/**
 * Asks all at once, as each call costs a round trip: sections, each begun by a line of its name. Reference for the commands and what they
 * print: device-control.md 1.1.5.
 */
export const STATE_SCRIPT = [
  ['airplane', 'cmd connectivity airplane-mode 2>&1'],
  ['airplane-setting', 'settings get global airplane_mode_on'],
  ['data', 'settings get global mobile_data'],
  ['operator', 'getprop gsm.operator.alpha'],
  ['network-code', 'getprop gsm.operator.numeric'],
  ['sim', 'getprop gsm.sim.state'],
  ['type', 'getprop gsm.network.type'],
  ['roaming', 'getprop gsm.operator.isroaming'],
  ['battery', 'dumpsys battery'],
  ['registry', "dumpsys telephony.registry | grep -E 'mSignalStrength=|mDataConnectionState='"],
  ['networks', 'dumpsys connectivity | grep NetworkAgentInfo'],
  ['addresses', 'ip -4 -o addr show'],
]
  .map(([name, command]) => `echo "@@${name}"; ${command}`)
  .join('\n')

/** An address that one of the phone's interfaces has. */
export interface InterfaceAddress {
  readonly name: string
  readonly address: string
}

/** What a phone says of itself. */
export interface PhoneState {
  /** Null: this Android has no such command. */
  readonly isAirplaneMode: boolean | null
  readonly isDataOff: boolean
  /** Whether the carrier's network is connected and has passed Android's own test of it. */
  readonly isOnline: boolean
  /** The carrier's. */
  readonly nameServers: readonly string[]
  /** IPv4 addresses of the phone's own interfaces. */
  readonly addresses: readonly InterfaceAddress[]
  readonly status: DeviceStatus
}

/** Reads what `STATE_SCRIPT` printed. */
export function readPhoneState(text: string): PhoneState {
  const parts = new Map(
    text
      .split(/^@@/m)
      .slice(1)
      .map((part) => {
        const end = part.indexOf('\n')
        return [part.slice(0, end), part.slice(end + 1).trim()] as const
      }),
  )
  const part = (name: string): string => parts.get(name) ?? ''
  const isAirplaneMode = airplaneModeOf(part('airplane'))
  const isDataOff = part('data') === '0'
  const isAirplaneSet = isAirplaneMode ?? part('airplane-setting') === '1'
  const mobile = mobileNetwork(part('networks'))
  const registry = part('registry')
  const addresses = [...part('addresses').matchAll(/^\d+: (\S+)\s+inet ([\d.]+)/gm)].map(([, name = '', address = '']) => ({
    name,
    address,
  }))
  const isConnected = mobile === undefined ? /mDataConnectionState=2\b/.test(registry) : isValidated(mobile)
  return {
    isAirplaneMode,
    isDataOff,
    isOnline: !isAirplaneSet && !isDataOff && isConnected,
    nameServers: [...(/DnsAddresses: \[([^\]]*)\]/.exec(mobile ?? '')?.[1] ?? '').matchAll(/\/([\d.]{7,15})/g)].flatMap(
      ([, one]) => one ?? [],
    ),
    addresses,
    status: {
      sim: simOf(part('sim')),
      isDown: isAirplaneSet || isDataOff,
      telemetry: {
        ...given('operator', firstOf(part('operator'))),
        ...mccMncOf(firstOf(part('network-code'))),
        ...given('innerIp', findCell(addresses)?.address ?? null),
        ...given('networkType', typeOf(part('type'))),
        ...given('roaming', roamingOf(part('roaming'))),
        ...given('signal', signalOf(registry)),
        ...given('battery', numberAfter(part('battery'), /^\s*level: (\d+)/m)),
        ...given('temperature', tenths(numberAfter(part('battery'), /^\s*temperature: (-?\d+)/m))),
      },
    },
  }
}

const given = <Name extends string, Value>(name: Name, value: Value | null): { [N in Name]?: Value } =>
  value === null ? {} : ({ [name]: value } as { [N in Name]: Value })

/** Exactly one of two words; all else (an unknown command, a SecurityException) means that it cannot be used. */
const airplaneModeOf = (text: string): boolean | null => (text === 'enabled' ? true : text === 'disabled' ? false : null)

/** Properties are lists with a place for each SIM: the first that says something. */
const firstOf = (list: string): string | null =>
  list
    .split(',')
    .map((item) => item.trim())
    .find((item) => item !== '' && item !== 'Unknown') ?? null

function typeOf(list: string): string | null {
  const type = firstOf(list)
  return type === 'NR' ? '5G' : type
}

const roamingOf = (list: string): boolean | null => (firstOf(list) === null ? null : list.includes('true'))

function simOf(list: string): DeviceStatus['sim'] {
  const states = list.split(',').map((state) => state.trim())
  if (states.some((state) => state === 'READY' || state === 'LOADED')) return 'ready'
  if (states.some((state) => /^(PIN|PUK|NETWORK_LOCKED)/.test(state))) return 'locked'
  return states.every((state) => state === 'ABSENT') ? 'missing' : 'unknown'
}

/** Android's own five bars, of the best cell that it names. */
function signalOf(registry: string): number | null {
  const levels = [...registry.matchAll(/\blevel ?= ?(\d)\b/g)].map(([, level]) => Number(level)).filter((level) => level <= 4)
  return levels.length === 0 ? null : Math.max(...levels) * 25
}

const mobileNetwork = (lines: string): string | undefined => lines.split('\n').find((line) => /\bMOBILE\b/.test(line))
const isValidated = (line: string): boolean =>
  /\bCONNECTED\b/.test(line) && /(?<!_)\bVALIDATED\b/.test(line) && !/CAPTIVE_PORTAL/.test(line)

const numberAfter = (text: string, pattern: RegExp): number | null => {
  const found = pattern.exec(text)?.[1]
  return found === undefined ? null : Number(found)
}
const tenths = (value: number | null): number | null => (value === null ? null : value / 10)
