import type { DriverParts } from '../drivers/create-driver.ts'
import type { DeviceDriver, Rung } from '../drivers/driver.ts'
import { RebootBudget } from '../drivers/reboot-budget.ts'
import type { PowerOptions } from './options.ts'
import { powerSwitchOf, switchOnSurely } from './power-switch.ts'

/** After the power has come back: 20 to 60 s until it is there, and its registration (reference: device-control.md 1.6, section 3). */
const ONLINE_MS = 180_000
/** What switching may take besides the time that it is off. */
const SWITCHING_MS = 45_000

/**
 * A driver whose device can have its power cycled too: method `power_cycle`, on request and for a device that does not come back, with a
 * budget of its own. The power is on again when `down()` ends, however it ends.
 */
export function withPower(driver: DeviceDriver, options: PowerOptions, parts: DriverParts): DeviceDriver {
  const power = powerSwitchOf(options, parts.name)
  const budget = new RebootBudget(parts, 'power-cycles.json')
  const rung: Rung = { method: 'power_cycle', holdMs: 0, onlineMs: ONLINE_MS, isOnRequest: true }

  const cycle = async (signal: AbortSignal): Promise<void> => {
    await budget.spend()
    try {
      await power.off(signal)
      await parts.clock.sleep(options.offMs, signal)
    } finally {
      // Not under the caller's signal: nothing may leave the device without power.
      await switchOnSurely(power, AbortSignal.timeout(SWITCHING_MS))
    }
  }
  return overlay(driver, {
    callTimeoutMs: Math.max(driver.callTimeoutMs ?? 0, SWITCHING_MS + options.offMs),
    ladder: async (signal) => [...(await driver.ladder(signal)), rung],
    down: (asked, signal) => (asked.method === 'power_cycle' ? cycle(signal) : driver.down(asked, signal)),
  })
}

/** The driver with some of its members replaced; the others keep their `this`. */
const overlay = (driver: DeviceDriver, members: Partial<DeviceDriver>): DeviceDriver =>
  new Proxy(driver, {
    get: (target, name) => {
      if (Object.hasOwn(members, name)) return members[name as keyof DeviceDriver]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
