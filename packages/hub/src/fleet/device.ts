import {
  type DeviceRecord,
  type DeviceSettings,
  type DeviceTotals,
  type LastRotation,
  noRotationConfig,
  type Recall,
  type RotationRecord,
  rotationConfigOf,
} from '../store/index.ts'
import { addressFamily, isSameExit } from './address.ts'
import { type Exit, type Exits, shownExit } from './exit-ip.ts'
import type { Vigil } from './vigil.ts'

/** The tunnel that a device's agent has dialled, as it stands at this moment. */
export interface TunnelStatus {
  readonly isConnected: boolean
  /** Since when that is so, ms. */
  readonly since: number
  readonly sessions: number
  readonly streams: number
  readonly rttMs: number | null
}

/** A device as the hub has it in memory: what is set, what was seen, what is under way. Times in ms. */
export interface Device extends DeviceSettings {
  exits: Exits
  lastHeartbeat: number | null
  ipChanges: number
  rotations: DeviceRecord['rotations']
  lastRotation: LastRotation | null
  lastIpRotation: number | null
  telemetry: DeviceRecord['telemetry']
  totals: DeviceTotals
  /** Bytes both ways since the month of its data plan began that began at `since`; null: not counted yet. */
  dataUse: { since: number; bytes: number } | null
  /** Whether it had its exit IP before; null: it had not, or that is not known yet. */
  seenBefore: Recall | null
  /** Since when the silence lasts that was told, as the database has it. */
  silentSince: number | null
  /** Its comings and goings; null until it is looked at, and while nobody watches over it. */
  vigil: Vigil | null
  /** The rotation that waits or runs. */
  rotation: RotationRecord | null
  /** Its row is in the database; a new pending name's is written with its first heartbeat. */
  isStored: boolean
  /** Null: its agent has dialled none since this start. */
  tunnel: TunnelStatus | null
}

/** Nobody has adopted this name yet. */
export const isPending = (device: DeviceSettings): boolean => device.adoptedAt === null

/** The exit to show of a device. */
export const exitOf = (device: Device): Exit | null => shownExit(device.exits, device.lastHeartbeat ?? 0)

/** A device as the store has it, in memory. */
export function fromRecord(record: DeviceRecord): Device {
  const { exitIp, stints, ...rest } = record
  const exit = (family: 'v4' | 'v6'): Exit | null => {
    const stint = stints[family]
    if (!stint) return null
    const isShown = exitIp !== null && addressFamily(exitIp) === family && isSameExit(stint.ip, exitIp)
    const lastSeen = isShown ? Math.max(stint.lastSeen, record.lastHeartbeat ?? 0) : stint.lastSeen
    return { ...stint, current: isShown ? exitIp : stint.ip, lastSeen }
  }
  return {
    ...rest,
    exits: { v4: exit('v4'), v6: exit('v6') },
    dataUse: null,
    seenBefore: null,
    vigil: null,
    rotation: null,
    isStored: true,
    tunnel: null,
  }
}

/** The part of a device that people or its agent set. */
export const settingsOf = (device: Device): DeviceSettings => ({
  id: device.id,
  name: device.name,
  kind: device.kind,
  deviceType: device.deviceType,
  adoptedAt: device.adoptedAt,
  maintenance: device.maintenance,
  proxyUrl: device.proxyUrl,
  operator: device.operator,
  region: device.region,
  tags: device.tags,
  weight: device.weight,
  methods: device.methods,
  agentVersion: device.agentVersion,
  requestsPerMinute: device.requestsPerMinute,
  concurrency: device.concurrency,
  dataCapBytes: device.dataCapBytes,
  dataCapDay: device.dataCapDay,
  rotationMethod: device.rotationMethod,
  rotationInterval: device.rotationInterval,
  autoRotation: device.autoRotation,
  ...rotationConfigOf(device),
  createdAt: device.createdAt,
  updatedAt: device.updatedAt,
})

/** What a device gets that is added without it. */
export interface DeviceDefaults {
  /** Seconds. */
  rotationInterval: number
  /** Null: as the pool is told. */
  requestsPerMinute: number | null
}

/** A name that was heard for the first time. */
export const newPendingDevice = (id: string, name: string, now: number, defaults: DeviceDefaults): Device => ({
  id,
  name,
  kind: 'bare',
  deviceType: 'generic',
  adoptedAt: null,
  maintenance: false,
  proxyUrl: null,
  operator: null,
  region: null,
  tags: [],
  weight: 1,
  methods: [],
  agentVersion: null,
  requestsPerMinute: defaults.requestsPerMinute,
  concurrency: null,
  dataCapBytes: null,
  dataCapDay: 1,
  rotationMethod: null,
  rotationInterval: defaults.rotationInterval,
  autoRotation: true,
  ...noRotationConfig,
  createdAt: now,
  updatedAt: now,
  exits: { v4: null, v6: null },
  lastHeartbeat: null,
  ipChanges: 0,
  rotations: { changed: 0, unchanged: 0, failed: 0 },
  lastRotation: null,
  lastIpRotation: null,
  telemetry: null,
  totals: { requests: 0, successful: 0, failed: 0, durationMs: 0 },
  dataUse: null,
  seenBefore: null,
  silentSince: null,
  vigil: null,
  rotation: null,
  isStored: false,
  tunnel: null,
})
