import { mccMncOfParts } from '../mcc-mnc.ts'
import { percentOfRsrp } from './answers.ts'

/** What a maker's own question says better than the standard ones do. */
export interface CellReading {
  readonly networkType?: string
  readonly signal?: number
  readonly mccMnc?: string
}

/** What is a maker's own; everything else is 27.007. */
export interface Vendor {
  readonly name: 'SIMCom' | 'Quectel' | 'generic'
  /** A question for the serving cell; null where none is known. */
  readonly cell: { readonly command: string; read(lines: readonly string[]): CellReading } | null
  /** Restarts the modem. */
  readonly reset: string
}

const generic: Vendor = { name: 'generic', cell: null, reset: 'AT+CFUN=1,1' }
const simcom: Vendor = { name: 'SIMCom', cell: { command: 'AT+CPSI?', read: readCpsi }, reset: 'AT+CRESET' }
const quectel: Vendor = { name: 'Quectel', cell: { command: 'AT+QENG="servingcell"', read: readQeng }, reset: 'AT+CFUN=1,1' }

/** Whose modem it is, by what `ATI` says. */
export function vendorOf(identity: readonly string[]): Vendor {
  const text = identity.join(' ')
  if (/SIMCOM|\bSIM[78]\d/i.test(text)) return simcom
  return /Quectel/i.test(text) ? quectel : generic
}

/** `+CPSI: LTE,Online,460-01,...,RSRQ,RSRP,RSSI,RSSNR`, the levels in tenths; other networks have other fields. */
function readCpsi(lines: readonly string[]): CellReading {
  const fields = /^\+CPSI: *(.+)$/m.exec(lines.join('\n'))?.[1]?.split(',') ?? []
  const [mode = 'NO SERVICE'] = fields
  if (mode === 'NO SERVICE') return {}
  const [mcc, mnc] = fields[2]?.split('-') ?? []
  return { networkType: mode, ...mccMncOfParts(mcc, mnc), ...(mode === 'LTE' ? signalOfRsrp(Number(fields.at(-3)) / 10) : {}) }
}

/** `+QENG: "servingcell","NOCONN","LTE","FDD",...`; with 5G beside LTE one line for each. */
function readQeng(lines: readonly string[]): CellReading {
  const cells = lines
    .map((line) => /^\+QENG: *(.+)$/.exec(line)?.[1]?.split(',').map(unquoted) ?? [])
    // A line of its own begins with the network, the only line of one network with the state before it.
    .map((fields) => (fields[0] === 'servingcell' ? fields.slice(2) : fields))
  const lte = cells.find(([network]) => network === 'LTE')
  if (!lte) {
    const network = cells.find(([name]) => name)?.[0]
    return network ? { networkType: network.startsWith('NR5G') ? '5G' : network } : {}
  }
  const hasNr = cells.some(([network]) => network?.startsWith('NR5G'))
  return { networkType: hasNr ? '5G NSA' : 'LTE', ...mccMncOfParts(lte[2], lte[3]), ...signalOfRsrp(Number(lte[11])) }
}

const unquoted = (field: string): string => field.trim().replace(/^"|"$/g, '')

const signalOfRsrp = (dbm: number): { signal?: number } => (dbm < -30 && dbm >= -140 ? { signal: percentOfRsrp(dbm) } : {})
