import { pino } from 'pino'
import { expect, test } from 'vitest'
import { VirtualClock } from '../../test/virtual-clock.ts'
import type { DeviceDriver, Rung } from '../drivers/driver.ts'
import { AgentError, type AgentErrorCode } from '../errors.ts'
import { Recovery } from './recovery.ts'

const MINUTE = 60_000

/** A device on a night of its own: what is wrong with it is said by the test, and what helps. */
class Patient {
  readonly clock = new VirtualClock(0)
  readonly done: string[] = []
  readonly stop = new AbortController()
  ladder: readonly Rung[] = [
    { method: 'airplane_mode', holdMs: 5_000 },
    { method: 'modem_reset', holdMs: 0, onlineMs: 90_000, isOnRequest: true },
    { method: 'device_reboot', holdMs: 0, onlineMs: 240_000, isOnRequest: true },
  ]
  isOnline: boolean = true
  isDown: boolean = false
  isBusy: boolean = false
  hasNameServer: boolean = true
  hubIsAway: boolean = false
  /** Which cure helps; null: none. */
  helps: Rung['method'] | null = null
  says: AgentErrorCode | null = null
  sim: 'ready' | 'missing' = 'ready'
  beats = 0
  /** A rotation begins while the device is looked at. */
  becomesBusyWhenAsked: boolean = false
  /** Every call to the device of this name fails so. */
  refuses: Partial<Record<'down' | 'up', AgentErrorCode>> = {}
  readonly #running: Promise<void>
  readonly recovery: Recovery

  constructor(mayCure = true) {
    const driver: Pick<DeviceDriver, 'ladder' | 'status' | 'down' | 'up' | 'waitOnline'> = {
      ladder: async () => {
        this.#answer()
        if (this.becomesBusyWhenAsked) this.isBusy = true
        return this.ladder
      },
      status: async () => {
        this.#answer()
        return { sim: this.sim, isDown: this.isDown, telemetry: {} }
      },
      down: async (rung) => {
        this.note(`${rung.method} ${rung.holdMs}`)
        if (this.refuses.down) throw new AgentError(this.refuses.down, 'not now')
        this.isDown = true
        if (rung.method === this.helps) this.#heal()
      },
      up: async () => {
        this.note('up')
        if (this.refuses.up) throw new AgentError(this.refuses.up, 'not now')
        this.isDown = false
      },
      waitOnline: (signal) => (this.isOnline && !this.isDown ? Promise.resolve() : this.clock.sleep(3_600_000, signal)),
    }
    this.recovery = new Recovery({
      clock: this.clock,
      log: pino({ level: 'silent' }),
      driver,
      mayCure,
      isHeard: () => this.isOnline && !this.isDown && !this.hubIsAway,
      hasNameServer: async () => this.hasNameServer,
      isBusy: () => this.isBusy,
      alone: async (run) => {
        if (this.isBusy) throw new AgentError('busy', 'The device is rotating.')
        this.isBusy = true
        try {
          return await run()
        } finally {
          this.isBusy = false
        }
      },
      cut: () => this.note('cut'),
      beatNow: () => {
        this.beats += 1
      },
    })
    this.#running = this.recovery.run(this.stop.signal)
  }

  #answer(): void {
    if (this.says !== null) throw new AgentError(this.says, 'so it is')
  }

  #heal(): void {
    this.isOnline = true
    this.says = null
    this.hasNameServer = true
  }

  note(what: string): void {
    this.done.push(`${Math.round(this.clock.now() / 1_000)} ${what}`)
  }

  async end(): Promise<void> {
    this.stop.abort(new AgentError('canceled', 'stop'))
    await this.clock.run(this.#running)
    expect({ sleeping: this.clock.sleeping, isBusy: this.isBusy }).toEqual({ sleeping: 0, isBusy: false })
  }
}

test('a modem that hangs is brought back by the first cure that helps, and what it was is told', async () => {
  const patient = new Patient()
  await patient.clock.advance(10 * MINUTE)
  Object.assign(patient, { isOnline: false, helps: 'modem_reset' })
  await patient.clock.advance(5 * MINUTE)
  // A minute's patience from the first look; each look at an offline device takes 5 s, airplane mode 5 + 45 s.
  expect(patient.done).toEqual(['680 cut', '680 airplane_mode 5000', '685 up', '770 cut', '770 modem_reset 0', '770 up'])
  expect(patient.recovery.trouble).toBe(null)
  expect(patient.recovery.last).toMatchObject({ by: 'modem_reset' })
  expect(patient.recovery.last?.tookMs).toBeLessThan(4 * MINUTE)
  expect([...patient.recovery.counts]).toEqual([['modem_reset', 1]])
  expect(patient.beats).toBeGreaterThan(0)
  await patient.end()
})

test('what comes back by itself is left alone and told as such', async () => {
  const patient = new Patient()
  await patient.clock.advance(10 * MINUTE)
  patient.isOnline = false
  await patient.clock.advance(40_000)
  expect(patient.recovery.trouble).toMatchObject({ finding: 'offline', tried: [] })
  patient.isOnline = true
  await patient.clock.advance(MINUTE)
  expect(patient.done).toEqual([])
  expect(patient.recovery.last).toMatchObject({ by: 'itself' })
  await patient.end()
})

test('in the first three minutes nothing is done but to switch on a radio that was left off', async () => {
  const patient = new Patient()
  patient.isOnline = false
  await patient.clock.advance(140_000)
  expect(patient.done).toEqual([])
  patient.isDown = true
  await patient.clock.advance(25_000)
  expect(patient.done.map((line) => line.split(' ')[1])).toEqual(['up'])
  await patient.clock.advance(2 * MINUTE)
  expect(patient.done.map((line) => line.split(' ')[1])).toContain('airplane_mode')
  await patient.end()
})

test('while the hub is away the device is not touched as long as a name server answers through it', async () => {
  const patient = new Patient()
  patient.hubIsAway = true
  await patient.clock.advance(12 * 60 * MINUTE)
  expect(patient.done).toEqual([])
  expect(patient.recovery.trouble).toBe(null)
  await patient.end()
})

test('a device that says it is online, and is silent, gets a new session, and no reboot', async () => {
  const patient = new Patient()
  Object.assign(patient, { hubIsAway: true, hasNameServer: false })
  await patient.clock.advance(9 * MINUTE)
  expect(patient.done).toEqual([])
  await patient.clock.advance(12 * 60 * MINUTE)
  const methods = new Set(patient.done.map((line) => line.split(' ')[1]))
  expect(methods).toEqual(new Set(['cut', 'airplane_mode', 'up']))
  await patient.end()
})

test('a phone that does not answer is rebooted; its ladder is remembered from before', async () => {
  const patient = new Patient()
  patient.isOnline = false
  await patient.clock.advance(30_000)
  Object.assign(patient, { says: 'device_unreachable', helps: 'device_reboot' })
  await patient.clock.advance(7 * MINUTE)
  expect(patient.done.map((line) => line.split(' ')[1])).toEqual(['cut', 'device_reboot', 'up'])
  expect(patient.recovery.last).toMatchObject({ by: 'device_reboot' })
  await patient.end()
})

test.each([
  ['without a SIM', { sim: 'missing' }],
  ['that asks for a password', { says: 'auth_failed' }],
  ['whose permission is missing', { says: 'permission_denied' }],
] as const)('a device %s waits for a person', async (_which, fault) => {
  const patient = new Patient()
  Object.assign(patient, { isOnline: false, ...fault })
  await patient.clock.advance(6 * 60 * MINUTE)
  expect(patient.done).toEqual([])
  expect(patient.recovery.trouble).toMatchObject({ finding: 'helpless' })
  await patient.end()
})

test('nothing is done while a rotation runs', async () => {
  const patient = new Patient()
  await patient.clock.advance(5 * MINUTE)
  Object.assign(patient, { isOnline: false, isBusy: true })
  await patient.clock.advance(30 * MINUTE)
  expect(patient.done).toEqual([])
  patient.isBusy = false
  await patient.end()
})

test('a reboot that is not allowed so soon is skipped, and tried again in another round', async () => {
  const patient = new Patient()
  await patient.clock.advance(5 * MINUTE)
  Object.assign(patient, { isOnline: false, refuses: { down: 'too_soon' } })
  await patient.clock.advance(30 * MINUTE)
  const reboots = patient.done.filter((line) => line.includes('device_reboot'))
  expect(reboots.length).toBeGreaterThanOrEqual(2)
  expect(patient.done.at(-1)).toContain('up')
  await patient.end()
})

test('a rotation that has just begun is not disturbed by switching on', async () => {
  const patient = new Patient()
  await patient.clock.advance(5 * MINUTE)
  patient.isDown = true
  patient.becomesBusyWhenAsked = true
  await patient.clock.advance(MINUTE)
  expect(patient.done).toEqual([])
  patient.isBusy = false
  await patient.end()
})

test('with --no-recovery only the radio is switched on', async () => {
  const patient = new Patient(false)
  patient.isOnline = false
  await patient.clock.advance(60 * MINUTE)
  expect(patient.done).toEqual([])
  patient.isDown = true
  await patient.clock.advance(MINUTE)
  expect(patient.done[0]).toContain('up')
  await patient.end()
})

test('an agent that is stopped in the middle of a cure leaves the device switched on', async () => {
  const patient = new Patient()
  patient.ladder = [{ method: 'airplane_mode', holdMs: 45_000 }]
  await patient.clock.advance(5 * MINUTE)
  patient.isOnline = false
  await patient.clock.advance(2 * MINUTE)
  expect(patient).toMatchObject({ isDown: true })
  await patient.end()
  expect(patient).toMatchObject({ isDown: false })
})
