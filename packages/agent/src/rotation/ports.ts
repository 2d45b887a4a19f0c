import type { RotationState } from '@mobilepool/sdk/contract'
import { type Clock, within } from '../clock.ts'
import type { DeviceDriver, Rung } from '../drivers/driver.ts'
import { AgentError } from '../errors.ts'
import type { RotationFacts } from './result.ts'
import { rotationTimes as times } from './times.ts'

/** What a rotation acts upon. */
export interface RotationPorts {
  readonly clock: Clock
  readonly driver: Pick<DeviceDriver, 'callTimeoutMs' | 'ladder' | 'status' | 'down' | 'up' | 'waitOnline'>
  readonly traffic: {
    /** Refuses new requests from now on. */
    fence(): void
    unfence(): void
    /** Resolves when nothing is under way. */
    drained(): Promise<void>
    /** Destroys every connection that leaves by the device: a vanished interface would leave them silent for minutes. */
    cut(): void
  }
  /** The exit IP, asked by the path of proxied traffic. Throws `probe_failed`, `egress_leak`. */
  probe(signal: AbortSignal): Promise<string>
  /** The exit IP that was seen last, if any. */
  lastExitIp(): string | null
  /** Tells the hub how far it is. Takes `progressMs` at most and never rejects. */
  progress(state: Exclude<RotationState, 'queued'>, facts: RotationFacts): Promise<void>
  /** What is known of how long the device must be off; left out where nothing is to be learned. */
  readonly holds?: {
    /** The ladder by what is known of the carrier; null where the device does not name it. */
    plan(rungs: readonly Rung[], carrier: string | null): readonly Rung[]
    /** Notes what came of a rung. Never rejects. */
    tried(rung: Rung, carrier: string | null, isChanged: boolean, tookMs: number): Promise<void>
  }
  /** Called before the device goes down, each time: what is needed to end the rotation after a crash is kept here. */
  keep(facts: RotationFacts): Promise<void>
}

/** What a call to the device needs. */
export type DevicePorts = { readonly clock: Clock; readonly driver: Pick<DeviceDriver, 'callTimeoutMs' | 'up' | 'waitOnline'> }

/** Calls the device under the time-out of a device call. */
export function callDevice<T>(ports: DevicePorts, call: (signal: AbortSignal) => Promise<T>, outer?: AbortSignal): Promise<T> {
  const timeoutMs = ports.driver.callTimeoutMs ?? times.deviceCallMs
  const unanswered = (): Error => new AgentError('device_unreachable', `The device did not answer within ${timeoutMs} ms.`)
  return within(ports.clock, timeoutMs, call, unanswered, outer)
}

/** As `callDevice`, once more when there was no answer: one lost reply is no reason not to rotate. For calls that change nothing. */
export async function askDevice<T>(ports: RotationPorts, call: (signal: AbortSignal) => Promise<T>, outer: AbortSignal): Promise<T> {
  try {
    return await callDevice(ports, call, outer)
  } catch (error) {
    if (outer.aborted || !(error instanceof AgentError) || error.code !== 'device_unreachable') throw error
    return callDevice(ports, call, outer)
  }
}

/** Switches the device on, whatever happens around it: nothing cancels this. Throws `stuck_offline`. */
export async function bringUp(ports: DevicePorts): Promise<void> {
  let failure: unknown
  for (let tries = 0; tries < times.upTries; tries += 1) {
    if (tries > 0) await ports.clock.sleep(times.upPauseMs)
    try {
      await callDevice(ports, (signal) => ports.driver.up(signal))
      return
    } catch (error) {
      failure = error
    }
  }
  const why = failure instanceof Error ? failure.message : ''
  throw new AgentError('stuck_offline', `The device could not be switched on again, ${times.upTries} times. ${why}`, { cause: failure })
}

/** Waits until the device is online. */
export function comeOnline(ports: DevicePorts, signal: AbortSignal, onlineMs: number = times.onlineMs): Promise<void> {
  const stuck = (): Error =>
    new AgentError('stuck_offline', `The device was not online again ${onlineMs / 1_000} s after it was switched on.`)
  return within(ports.clock, onlineMs, (inner) => ports.driver.waitOnline(inner), stuck, signal)
}

/** Asks for the exit IP until it is known; a leak is known at once. */
export async function findExitIp(ports: RotationPorts, signal?: AbortSignal): Promise<string> {
  const timedOut = (): Error => new AgentError('probe_failed', `The hub did not say the exit IP within ${times.probeMs} ms.`)
  for (let tries = 1; ; tries += 1) {
    try {
      return await within(ports.clock, times.probeMs, (inner) => ports.probe(inner), timedOut, signal)
    } catch (error) {
      const isLeak = error instanceof AgentError && error.code === 'egress_leak'
      if (isLeak || signal?.aborted || tries === times.probeTries) throw error
    }
    await ports.clock.sleep(times.probePauseMs, signal)
  }
}
