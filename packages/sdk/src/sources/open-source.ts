import type { Clock } from '../clock.ts'
import type { Device } from '../core/device.ts'
import type { Transport } from '../dispatch/transport.ts'
import { MobilePoolError } from '../errors.ts'
import type { RotationResult } from '../events.ts'
import { idOf, type ListedDevice, type PoolSettings } from '../options/schema.ts'
import type { Drains } from '../rotation/drains.ts'
import { probeExitIp } from '../rotation/probe-exit-ip.ts'
import { type RotationCall, rotationUrlCall } from '../rotation/rotation-call.ts'
import { StaticRotator } from '../rotation/static-rotator.ts'
import type { DeviceRecord, DeviceSource } from './device-source.ts'
import { hubBackoff } from './hub/backoff.ts'
import type { HubLink } from './hub/hub-link.ts'
import { HubSource } from './hub/hub-source.ts'
import { StaticSource } from './static-source.ts'

export interface SourceParts {
  /** Null: the devices are listed in the options. */
  readonly hub: HubLink | null
  readonly clock: Clock
  readonly random: () => number
  readonly drains: Drains
  readonly find: (id: string) => Device | undefined
  readonly transportOf: (device: Device) => Transport | undefined
  readonly setExitIp: (device: Device, exitIp: string | null) => void
  readonly onEnd: (result: RotationResult) => void
}

/** How long one look at the exit IP may take. */
const PROBE_TIMEOUT_MS = 10_000

/** The source of devices that the options name. */
export function openSource(settings: PoolSettings, parts: SourceParts): DeviceSource {
  const { clock, random, hub } = parts
  if (hub !== null)
    return new HubSource({ ...hub, asked: settings.asked, unique: settings.rotate.unique, clock, random, backoff: hubBackoff })

  const devices = settings.devices ?? []
  const { exitIpUrl, rotate } = settings
  const rotator = new StaticRotator({
    ...parts,
    calls: new Map(devices.flatMap((device) => (device.rotate === undefined ? [] : [[idOf(device), rotationCall(device.rotate)]]))),
    probe: exitIpUrl === undefined ? null : (device) => probeThrough(parts.transportOf(device), exitIpUrl),
    callTimeoutMs: rotate.callTimeoutMs,
    verifyMs: rotate.verifyMs,
  })
  return new StaticSource(devices.map(toRecord), async (id, trigger, unique) => {
    if (unique !== undefined) throw new MobilePoolError('MP_OPTIONS', 'unique: needs a `hub`: only it remembers which exit IPs were seen')
    return rotator.rotate(id, trigger)
  })
}

async function probeThrough(transport: Transport | undefined, echoUrl: URL): Promise<string> {
  if (transport === undefined) throw new Error('the device has left the pool')
  return probeExitIp(transport, echoUrl, PROBE_TIMEOUT_MS)
}

function rotationCall(rotate: NonNullable<ListedDevice['rotate']>): RotationCall {
  if (rotate instanceof URL) return rotationUrlCall(rotate)
  return async (context) => {
    const said = await rotate(context)
    return typeof said === 'string' ? said : null
  }
}

const toRecord = (device: ListedDevice): DeviceRecord => ({
  id: idOf(device),
  name: idOf(device),
  proxyUrl: device.url,
  exitIp: null,
  isOnline: true,
  isRotating: false,
  weight: device.weight,
  tags: device.tags,
  operator: device.operator ?? null,
  region: device.region ?? null,
  type: device.type,
  tunnel: device.tunnel,
  limits: { concurrency: device.concurrency, requestsPerMinute: device.requestsPerMinute },
})
