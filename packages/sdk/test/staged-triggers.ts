import type { RotationOutcome, RotationTrigger } from '../src/contract/index.ts'
import { Device } from '../src/core/device.ts'
import { ExitMemory, Quarantine } from '../src/core/quarantine.ts'
import type { Emit, RotationResult } from '../src/events.ts'
import { type TriggerSettings, Triggers } from '../src/rotation/triggers.ts'
import { VirtualClock } from './virtual-clock.ts'

const settings: TriggerSettings = {
  everyMs: null,
  afterRequests: null,
  onBanCount: null,
  onSessionEnd: false,
  minIntervalMs: 30_000,
  minSiteIntervalMs: 0,
  maxParallel: 4,
  maxShare: 1,
  patienceMs: 0,
}

/** A rotation that the triggers asked for. */
export interface Asked {
  readonly id: string
  readonly trigger: RotationTrigger
  readonly at: number
  readonly end: (outcome?: Error | RotationOutcome) => void
}

/** Triggers over online devices of these names; what they ask for is kept and ended by the test. */
export function triggersOver(names: string[], changes: Partial<TriggerSettings>, random: () => number = () => 0.5) {
  const quarantine = new Quarantine({ quarantineMs: 600_000 })
  const clock = new VirtualClock()
  const devices = names.map((name) => {
    const facts = { id: name, name, weight: 1, tags: [], operator: null, region: null, type: 'generic' }
    const device = new Device(facts, new ExitMemory(name))
    device.online = true
    return device
  })
  const asked: Asked[] = []
  let onSettled = (): void => {}
  const events: unknown[] = []
  const emit: Emit = (name, ...event) => void events.push([name, ...event])
  const rotate = (id: string, trigger: RotationTrigger) =>
    new Promise<RotationResult>((resolve, reject) => {
      const end = (outcome: Error | RotationOutcome = 'changed'): void => {
        if (outcome instanceof Error) reject(outcome)
        else resolve({ deviceId: id, device: id, outcome, trigger, oldIp: null, newIp: null, durationMs: 0 })
      }
      asked.push({ id, trigger, at: clock.now(), end })
    })
  const triggers: Triggers = new Triggers(
    { ...settings, ...changes },
    { clock, random, emit, devices: () => devices, readyCount: () => devices.length, rotate, onSettled: () => onSettled() },
  )
  for (const device of devices) triggers.deviceAdded(device)
  /** A new request meets a ban of the site on the device. */
  const ban = (device: Device, site = 'shop.com', request: object = {}): void => {
    const { strikes } = quarantine.ban(device.exit, site, undefined, clock.now())
    triggers.noteBan(device, site, request, strikes)
  }
  return {
    ban,
    quarantine,
    clock,
    devices: devices as [Device, ...Device[]],
    asked,
    events,
    triggers,
    whenSettled: (listener: () => void) => {
      onSettled = listener
    },
  }
}
