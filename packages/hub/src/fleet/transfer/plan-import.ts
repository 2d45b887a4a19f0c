import { type DeviceCreateJson, type DeviceUpdateJson, deviceCreate, deviceUpdate, IMPORT_MAX } from '@mobilepool/sdk/contract'
import type { z } from 'zod'
import type { Device } from '../device.ts'
import { isPending } from '../device.ts'
import type { LineError, ParsedFile, ParsedLine } from './parsed-line.ts'

/** What an import comes to, before anything is written. */
export interface ImportPlan {
  /** New devices, and pending names that are adopted. */
  adds: { line: number; body: DeviceCreateJson }[]
  updates: { line: number; device: Device; body: DeviceUpdateJson }[]
  /** Names that are devices already and were to be left alone. */
  skipped: string[]
  errors: LineError[]
}

export interface ImportRules {
  existing: 'refuse' | 'skip' | 'update'
  /** Devices that may still be adopted. */
  room: number
  find: (name: string) => Device | null
}

/** Checks every line of a file. */
export function planImport(file: ParsedFile, { existing, room, find }: ImportRules): ImportPlan {
  const plan: ImportPlan = { adds: [], updates: [], skipped: [], errors: [...file.errors] }
  if (file.lines.length > IMPORT_MAX) {
    const message = `has ${file.lines.length} devices; one import takes ${IMPORT_MAX}`
    return { ...plan, errors: [{ line: 1, name: null, field: 'content', message }] }
  }
  const firstLines = new Map<string, number>()
  for (const line of file.lines) {
    const name = nameOf(line)
    const complain = (field: string, message: string): void => void plan.errors.push({ line: line.line, name, field, message })
    const first = name === null ? undefined : firstLines.get(name)
    if (first !== undefined) {
      complain('name', `is on line ${first} already`)
      continue
    }
    if (name !== null) firstLines.set(name, line.line)
    const known = name === null ? null : find(name)
    const isDevice = known !== null && !isPending(known)
    if (isDevice && existing === 'refuse')
      complain('name', 'is a device already: leave it out, or import with existing=skip or existing=update')
    else if (isDevice && existing === 'skip') plan.skipped.push(known.name)
    else if (isDevice) update(plan, line, known, complain)
    else if (plan.adds.length >= room) complain('name', 'does not fit: the limit on devices is reached (MAX_DEVICES)')
    else add(plan, line, complain)
  }
  plan.errors.sort((a, b) => a.line - b.line)
  return plan
}

type Complain = (field: string, message: string) => void

function add(plan: ImportPlan, { line, fields }: ParsedLine, complain: Complain): void {
  const parsed = deviceCreate.safeParse(fields)
  if (!parsed.success) complainAll(parsed.error, complain)
  else if (parsed.data.ip_address !== undefined && parsed.data.port === undefined) complain('port', 'is missing: it goes with ip_address')
  else if (parsed.data.port !== undefined && parsed.data.ip_address === undefined) complain('ip_address', 'is missing: it goes with port')
  else plan.adds.push({ line, body: parsed.data })
}

function update(plan: ImportPlan, { line, fields }: ParsedLine, device: Device, complain: Complain): void {
  const parsed = deviceUpdate.safeParse(fields)
  if (!parsed.success) complainAll(parsed.error, complain)
  else if (device.proxyUrl === null && (parsed.data.ip_address === undefined) !== (parsed.data.port === undefined))
    complain(parsed.data.port === undefined ? 'port' : 'ip_address', 'is missing: the device has no proxy URL yet')
  else plan.updates.push({ line, device, body: parsed.data })
}

function complainAll(error: z.ZodError, complain: Complain): void {
  const told = new Set<string>()
  for (const issue of error.issues) {
    const fields = issue.code === 'unrecognized_keys' ? issue.keys : [issue.path.join('.') || 'content']
    for (const field of fields) {
      if (told.has(field)) continue
      told.add(field)
      complain(field, issue.code === 'unrecognized_keys' ? 'is no field of a device' : issue.message)
    }
  }
}

/** As far as it can be told before the line is checked. */
const nameOf = ({ fields: { name } }: ParsedLine): string | null => (typeof name === 'string' ? name.normalize('NFC') : null)
