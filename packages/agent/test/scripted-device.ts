import type { RotationMethod } from '@mobilepool/sdk/contract'
import { expect } from 'vitest'
import type { DeviceStatus, Rung } from '../src/drivers/driver.ts'
import type { RotationPorts } from '../src/rotation/ports.ts'
import { type RotationOrder, rotate } from '../src/rotation/rotate.ts'
import { VirtualClock } from './virtual-clock.ts'

/** A rung of a ladder. */
export const rung = (holdMs: number, method: RotationMethod = 'airplane_mode'): Rung => ({ method, holdMs })

/** A device whose every answer a test can script; writes down what is done with it, and when. */
export class ScriptedDevice {
  readonly clock = new VirtualClock(0)
  readonly done: string[] = []
  readonly stop = new AbortController()
  ladder: readonly Rung[] = [rung(5_000), rung(15_000), rung(45_000)]
  sim: DeviceStatus['sim'] = 'ready'
  /** What each probe says, in order; the last one again and again. */
  exitIps: (string | Error)[] = ['10.0.0.1', '10.0.0.2']
  lastExitIp: string | null = null
  drained: () => Promise<void> = () => Promise.resolve()
  down: () => Promise<void> = () => Promise.resolve()
  up: () => Promise<void> = () => Promise.resolve()
  online: (signal: AbortSignal) => Promise<void> = () => this.clock.sleep(2_000)
  status: () => Promise<void> = () => Promise.resolve()
  isDown = false
  isFenced = false

  readonly ports: RotationPorts = {
    clock: this.clock,
    driver: {
      ladder: async () => this.ladder,
      status: async () => {
        this.note('status')
        await this.status()
        return { sim: this.sim, isDown: this.isDown, telemetry: {} }
      },
      down: async ({ holdMs }) => {
        this.note(`down for ${holdMs}`)
        this.isDown = true
        await this.down()
      },
      up: async () => {
        this.note('up')
        await this.up()
        this.isDown = false
      },
      waitOnline: (signal) => this.online(signal),
    },
    traffic: {
      fence: () => {
        this.note('fence')
        this.isFenced = true
      },
      unfence: () => {
        this.note('unfence')
        this.isFenced = false
      },
      drained: () => this.drained(),
      cut: () => this.note('cut'),
    },
    probe: async () => {
      const says = this.exitIps.length > 1 ? this.exitIps.shift() : this.exitIps[0]
      this.note(`probe: ${says instanceof Error ? 'fails' : says}`)
      if (says === undefined || says instanceof Error) throw says
      return says
    },
    lastExitIp: () => this.lastExitIp,
    progress: async (state) => this.note(`tell ${state}`),
    keep: async ({ oldIp, method }) => this.note(`keep ${oldIp} ${method}`),
  }

  note(what: string): void {
    this.done.push(`${this.clock.now() / 1_000} ${what}`)
  }

  async rotate(order: Partial<RotationOrder> = {}) {
    const result = await this.clock.run(
      rotate({ method: null, drainMs: 3_000, deadlineAt: 90_000, ...order }, this.ports, this.stop.signal),
    )
    // Whatever came of it: the device is on, the proxy serves, nothing waits any more.
    expect({ isDown: this.isDown, isFenced: this.isFenced, sleeping: this.clock.sleeping }).toEqual({
      isDown: false,
      isFenced: false,
      sleeping: 0,
    })
    return result
  }

  /** What was done, without the times. */
  get steps(): string[] {
    return this.done.map((line) => line.slice(line.indexOf(' ') + 1))
  }
}
