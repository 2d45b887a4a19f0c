import type { Vigil } from '../../fleet/vigil.ts'
import type { AlertRecord } from '../../store/index.ts'

/** A device as rules see it. Times in ms. */
export interface WatchedDevice {
  id: string
  name: string
  operator: string | null
  region: string | null
  /** Null: never heard. */
  lastHeartbeat: number | null
  /** From when on its silence counts: the hub's own absence does not. */
  silentFrom: number | null
  /** Past its time-out. */
  isSilent: boolean
  /** Whether it is silent for long, and whether it flaps; null: it was not looked at yet. */
  vigil: Vigil | null
  /** In maintenance or not adopted: nothing about it alerts. */
  isExempt: boolean
  /** Away for a rotation: its silence is expected. */
  isRotating: boolean
  /** Per cent, as its agent last said. */
  battery: number | null
}

/** The alert's subject that a device is. */
export const deviceSubject = ({ id, name }: Pick<WatchedDevice, 'id' | 'name'>): AlertRecord['subject'] => ({ kind: 'device', id, name })

/** Which alerts of a rule fire. */
export interface Firing {
  all: readonly AlertRecord[]
  find: (subjectId: string) => AlertRecord | null
}

/** The devices by id. */
export type DeviceMap = ReadonlyMap<string, WatchedDevice>

/** Why an alert about a device ends although nothing became better; null: it does not. */
export function whyOver(device: WatchedDevice | undefined, name: string): { title: string; detail: string } | null {
  if (!device) return { title: `${name} was removed`, detail: '' }
  return device.isExempt ? { title: `${name} is in maintenance`, detail: 'It is not watched until it is put back to work.' } : null
}
