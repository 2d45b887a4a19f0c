import { describe, expect, test } from 'vitest'
import { rung, ScriptedDevice } from '../../test/scripted-device.ts'
import type { Rung } from '../drivers/driver.ts'
import { AgentError, type AgentErrorCode } from '../errors.ts'
import { resumeRotation } from './resume.ts'
import { rotate } from './rotate.ts'

const never = (): Promise<never> => new Promise(() => {})
const error = (code: AgentErrorCode) => new AgentError(code, `because of ${code}`)

describe('a rotation', () => {
  test('does its steps in their order and reports the change', async () => {
    const device = new ScriptedDevice()
    expect(await device.rotate()).toEqual({ state: 'changed', method: 'airplane_mode', oldIp: '10.0.0.1', newIp: '10.0.0.2', detail: null })
    expect(device.done).toEqual([
      '0 status',
      '0 probe: 10.0.0.1',
      '0 fence',
      '0 tell draining',
      '0 tell rotating',
      '0 keep 10.0.0.1 airplane_mode',
      '0 cut',
      '0 down for 5000',
      '5 up',
      '7 tell verifying',
      '7 probe: 10.0.0.2',
      '7 unfence',
    ])
  })

  test('climbs the ladder until the address has changed', async () => {
    const device = new ScriptedDevice()
    device.exitIps = ['10.0.0.1', '10.0.0.1', '10.0.0.2']
    expect(await device.rotate()).toMatchObject({ state: 'changed', newIp: '10.0.0.2' })
    expect(device.steps.filter((step) => step.startsWith('down'))).toEqual(['down for 5000', 'down for 15000'])
    expect(device.steps.filter((step) => step === 'fence')).toHaveLength(1)
  })

  test('is unchanged when no rung of the ladder changes the address', async () => {
    const device = new ScriptedDevice()
    device.exitIps = ['10.0.0.1']
    expect(await device.rotate({ deadlineAt: 300_000 })).toEqual({
      state: 'unchanged',
      method: 'airplane_mode',
      oldIp: '10.0.0.1',
      newIp: '10.0.0.1',
      detail: null,
    })
    expect(device.steps.filter((step) => step.startsWith('down'))).toHaveLength(3)
  })

  test('does not begin a rung that it could not finish before the deadline', async () => {
    const device = new ScriptedDevice()
    device.exitIps = ['10.0.0.1']
    // 5 + 2, 15 + 2, and 45 + 2 would end at 71 s.
    expect(await device.rotate({ deadlineAt: 70_999 })).toMatchObject({ state: 'unchanged' })
    expect(device.steps.filter((step) => step.startsWith('down'))).toHaveLength(2)
    expect(device.clock.now()).toBe(24_000)
  })

  test('goes on to the next rung when the device has no data session after one', async () => {
    const device = new ScriptedDevice()
    let tries = 0
    device.online = async () => {
      tries += 1
      if (tries === 1) throw error('no_data_session')
    }
    expect(await device.rotate()).toMatchObject({ state: 'changed' })
    expect(device.steps.filter((step) => step.startsWith('down'))).toHaveLength(2)
  })

  test('by a given method climbs only its rungs', async () => {
    const device = new ScriptedDevice()
    device.ladder = [rung(1_000, 'data_toggle'), rung(5_000), rung(60_000, 'device_reboot')]
    device.exitIps = ['10.0.0.1']
    expect(await device.rotate({ method: 'airplane_mode' })).toMatchObject({ state: 'unchanged', method: 'airplane_mode' })
    expect(device.steps.filter((step) => step.startsWith('down'))).toEqual(['down for 5000'])
  })

  test('says by which method the address changed in the end', async () => {
    const device = new ScriptedDevice()
    device.ladder = [rung(1_000, 'data_toggle'), rung(5_000)]
    device.exitIps = ['10.0.0.1', '10.0.0.1', '10.0.0.2']
    expect(await device.rotate()).toMatchObject({ state: 'changed', method: 'airplane_mode' })
    expect(device.steps).toContain('keep 10.0.0.1 data_toggle')
    expect(device.steps).toContain('keep 10.0.0.1 airplane_mode')
  })
})

describe('draining', () => {
  test('ends as soon as nothing is under way', async () => {
    const device = new ScriptedDevice()
    device.drained = () => device.clock.sleep(1_000)
    await device.rotate()
    expect(device.done).toContain('1 cut')
  })

  test('ends with its time, and what is still under way is cut', async () => {
    const device = new ScriptedDevice()
    device.drained = never
    await device.rotate({ drainMs: 3_000 })
    expect(device.done).toContain('3 cut')
  })

  test('does not outlast the deadline', async () => {
    const device = new ScriptedDevice()
    device.drained = never
    expect(await device.rotate({ drainMs: 60_000, deadlineAt: 30_000 })).toMatchObject({ state: 'failed', reason: 'deadline_exceeded' })
    expect(device.clock.now()).toBe(30_000)
    expect(device.steps).not.toContain('cut')
  })
})

describe('the exit IP before', () => {
  test('is the last one seen when the hub cannot be asked now', async () => {
    const device = new ScriptedDevice()
    device.lastExitIp = '10.0.0.9'
    device.exitIps = [error('probe_failed'), '10.0.0.2']
    expect(await device.rotate()).toMatchObject({ state: 'changed', oldIp: '10.0.0.9', newIp: '10.0.0.2' })
  })

  test('that nobody knows makes the outcome unknown, though the device is rotated all the same: that may mend it', async () => {
    const device = new ScriptedDevice()
    device.ladder = [rung(5_000)]
    device.exitIps = [error('probe_failed'), '10.0.0.2']
    expect(await device.rotate()).toMatchObject({ state: 'failed', reason: 'probe_failed', oldIp: null, newIp: '10.0.0.2' })
    expect(device.steps).toContain('down for 5000')
  })

  test('is not waited for longer than a probe may take', async () => {
    const device = new ScriptedDevice()
    device.lastExitIp = '10.0.0.1'
    let probes = 0
    const { probe } = device.ports
    const ports = { ...device.ports, probe: (signal: AbortSignal) => (probes++ === 0 ? never() : probe(signal)) }
    device.exitIps = ['10.0.0.2']
    const result = await device.clock.run(rotate({ method: null, drainMs: 0, deadlineAt: 90_000 }, ports, device.stop.signal))
    expect(result).toMatchObject({ state: 'changed', oldIp: '10.0.0.1' })
    expect(device.done).toContain('5 fence')
  })
})

describe('the exit IP after', () => {
  test('is asked for again until it is said', async () => {
    const device = new ScriptedDevice()
    device.exitIps = ['10.0.0.1', error('probe_failed'), error('probe_failed'), '10.0.0.2']
    expect(await device.rotate()).toMatchObject({ state: 'changed' })
  })

  test('that cannot be found fails the rotation after its last rung', async () => {
    const device = new ScriptedDevice()
    device.ladder = [rung(5_000)]
    device.exitIps = ['10.0.0.1', error('probe_failed')]
    expect(await device.rotate()).toMatchObject({ state: 'failed', reason: 'probe_failed', oldIp: '10.0.0.1', newIp: null })
    expect(device.steps.filter((step) => step === 'probe: fails')).toHaveLength(6)
  })

  test.each([
    ['before', [error('egress_leak')], false],
    ['after', ['10.0.0.1', error('egress_leak')], true],
  ])('that is the host’s own, %s the rotation, is a leak and ends it at once', async (_, exitIps, hasGoneDown) => {
    const device = new ScriptedDevice()
    device.exitIps = exitIps
    expect(await device.rotate()).toMatchObject({ state: 'failed', reason: 'egress_leak' })
    expect(device.steps.filter((step) => step.startsWith('down'))).toHaveLength(hasGoneDown ? 1 : 0)
  })
})

describe('a rotation is refused', () => {
  test.each([
    ['missing', 'sim_missing'],
    ['locked', 'sim_locked'],
  ] as const)('with the SIM %s, before anything is fenced', async (sim, reason) => {
    const device = new ScriptedDevice()
    device.sim = sim
    expect(await device.rotate()).toMatchObject({ state: 'failed', reason })
    expect(device.steps).toEqual(['status', 'unfence'])
  })

  test.each([
    [null, 'the device cannot rotate'],
    ['modem_reset', 'by modem_reset'],
  ] as const)('when the device has no method for %s', async (method, says) => {
    const device = new ScriptedDevice()
    if (method === null) device.ladder = []
    const result = await device.rotate({ method })
    expect(result).toMatchObject({ state: 'failed', reason: 'unsupported' })
    expect(result.detail?.toLowerCase()).toContain(says)
  })

  test('when the device does not answer, not even when asked again', async () => {
    const device = new ScriptedDevice()
    device.status = never
    expect(await device.rotate()).toMatchObject({ state: 'failed', reason: 'device_unreachable' })
    expect(device.clock.now()).toBe(20_000)
  })

  test('but not because of one lost answer', async () => {
    const device = new ScriptedDevice()
    let calls = 0
    device.status = () => {
      calls += 1
      return calls === 1 ? never() : Promise.resolve()
    }
    expect(await device.rotate()).toMatchObject({ state: 'changed' })
  })

  test('when the deadline has passed already', async () => {
    const device = new ScriptedDevice()
    expect(await device.rotate({ deadlineAt: -1 })).toMatchObject({ state: 'failed', reason: 'deadline_exceeded' })
    expect(device.steps).not.toContain('cut')
  })

  test('when the deadline is too near for the shortest hold', async () => {
    const device = new ScriptedDevice()
    expect(await device.rotate({ deadlineAt: 9_000 })).toMatchObject({ state: 'failed', reason: 'deadline_exceeded' })
    expect(device.steps).not.toContain('cut')
  })

  test('when what is needed after a crash cannot be kept', async () => {
    const device = new ScriptedDevice()
    const ports = { ...device.ports, keep: () => Promise.reject(new AgentError('state_dir', 'The disk is full.')) }
    const order = { method: null, drainMs: 0, deadlineAt: 90_000 }
    const result = await device.clock.run(rotate(order, ports, device.stop.signal))
    expect(result).toMatchObject({ state: 'failed', detail: 'The disk is full.' })
    expect(device.steps).not.toContain('cut')
  })
})

describe('the device is switched on again', () => {
  test.each([['permission_denied'], ['auth_failed'], ['device_unreachable'], ['unsupported']] as const)(
    'when switching it off fails with %s',
    async (code) => {
      const device = new ScriptedDevice()
      device.ladder = [rung(5_000)]
      device.down = () => Promise.reject(error(code))
      expect(await device.rotate()).toMatchObject({ state: 'failed', reason: code, detail: `because of ${code}` })
      expect(device.steps).toContain('up')
    },
  )

  test('and no further rung is tried where it cannot help', async () => {
    const device = new ScriptedDevice()
    device.down = () => Promise.reject(error('permission_denied'))
    await device.rotate()
    expect(device.steps.filter((step) => step.startsWith('down'))).toHaveLength(1)
  })

  test('when switching it off never comes to an end', async () => {
    const device = new ScriptedDevice()
    device.ladder = [rung(5_000)]
    device.down = never
    expect(await device.rotate()).toMatchObject({ state: 'failed', reason: 'device_unreachable' })
    expect(device.done).toContain('10 up')
  })

  test('when a driver throws something of its own', async () => {
    const device = new ScriptedDevice()
    device.ladder = [rung(5_000)]
    device.down = () => Promise.reject(new TypeError('password=hunter2'))
    const result = await device.rotate()
    expect(result).toMatchObject({ state: 'failed', reason: 'device_unreachable' })
    expect(result.detail).not.toContain('hunter2')
  })

  test('when the agent is stopped in the middle of the hold', async () => {
    const device = new ScriptedDevice()
    void device.clock.sleep(3_000).then(() => device.stop.abort(error('canceled')))
    expect(await device.rotate()).toMatchObject({ state: 'failed', reason: 'canceled' })
    expect(device.done).toContain('3 up')
  })

  test('when the deadline comes in the middle of the hold', async () => {
    const device = new ScriptedDevice()
    device.ladder = [rung(5_000), rung(30_000)]
    // The first rung shows that verifying takes 1 s, then the second one takes longer than it should.
    device.exitIps = ['10.0.0.1']
    device.online = () => device.clock.sleep(1_000)
    let downs = 0
    device.down = async () => {
      downs += 1
      if (downs === 2) await device.clock.sleep(4_000)
    }
    expect(await device.rotate({ deadlineAt: 38_000 })).toMatchObject({ state: 'failed', reason: 'deadline_exceeded' })
    expect(device.done).toContain('38 up')
  })

  test('with more than one try, if need be', async () => {
    const device = new ScriptedDevice()
    let tries = 0
    device.up = async () => {
      tries += 1
      if (tries < 3) throw error('device_unreachable')
    }
    expect(await device.rotate()).toMatchObject({ state: 'changed' })
    expect(device.steps.filter((step) => step === 'up')).toHaveLength(3)
  })

  test('also after the agent is stopped, with more than one try', async () => {
    const device = new ScriptedDevice()
    void device.clock.sleep(3_000).then(() => device.stop.abort(error('canceled')))
    let tries = 0
    device.up = async () => {
      tries += 1
      if (tries < 3) throw error('device_unreachable')
    }
    expect(await device.rotate()).toMatchObject({ state: 'failed', reason: 'canceled' })
  })
})

test('a device that cannot be switched on again is stuck_offline, after five tries on each rung', async () => {
  const device = new ScriptedDevice()
  device.ladder = [rung(5_000)]
  device.up = () => Promise.reject(error('device_unreachable'))
  const result = await device.clock.run(rotate({ method: null, drainMs: 0, deadlineAt: 90_000 }, device.ports, device.stop.signal))
  expect(result).toMatchObject({ state: 'failed', reason: 'stuck_offline' })
  expect(result.detail).toContain('because of device_unreachable')
  expect(device.steps.filter((step) => step === 'up')).toHaveLength(5)
})

test('a device that is not online 45 s after "on" is stuck_offline', async () => {
  const device = new ScriptedDevice()
  device.ladder = [rung(5_000)]
  device.online = never
  expect(await device.rotate()).toMatchObject({ state: 'failed', reason: 'stuck_offline' })
  expect(device.clock.now()).toBe(50_000)
})

test.each([['no_registration'], ['no_data_session'], ['sim_missing']] as const)(
  'a device that comes back with %s says so',
  async (code) => {
    const device = new ScriptedDevice()
    device.ladder = [rung(5_000)]
    device.online = () => Promise.reject(error(code))
    expect(await device.rotate()).toMatchObject({ state: 'failed', reason: code })
  },
)

test('a hub that does not answer progress reports holds nothing up for longer than they may take', async () => {
  const device = new ScriptedDevice()
  const ports = { ...device.ports, progress: () => device.clock.sleep(1_500) }
  const result = await device.clock.run(rotate({ method: null, drainMs: 0, deadlineAt: 90_000 }, ports, device.stop.signal))
  expect(result).toMatchObject({ state: 'changed' })
  expect(device.done).toContain('1.5 cut')
})

describe('a rotation whose agent was killed', () => {
  const facts = { oldIp: '10.0.0.1', method: 'airplane_mode', newIp: null } as const
  const resume = async (device: ScriptedDevice, hasGoneDown = true) => {
    device.isDown = hasGoneDown
    const result = await device.clock.run(resumeRotation({ facts, hasGoneDown }, device.ports, device.stop.signal))
    expect({ isDown: device.isDown, isFenced: device.isFenced, sleeping: device.clock.sleeping }).toEqual({
      isDown: false,
      isFenced: false,
      sleeping: 0,
    })
    return result
  }

  test.each([
    ['10.0.0.2', 'changed'],
    ['10.0.0.1', 'unchanged'],
  ])('is ended by the address that the device has now: %s is %s', async (now, state) => {
    const device = new ScriptedDevice()
    device.exitIps = [now]
    expect(await resume(device)).toMatchObject({ state, oldIp: '10.0.0.1', newIp: now, detail: expect.stringContaining('restarted') })
    expect(device.steps).toEqual(['fence', 'up', `probe: ${now}`, 'unfence'])
  })

  test('before the device went down is canceled', async () => {
    expect(await resume(new ScriptedDevice(), false)).toMatchObject({ state: 'failed', reason: 'canceled' })
  })

  test('and whose device does not come back is stuck_offline', async () => {
    const device = new ScriptedDevice()
    device.online = never
    expect(await resume(device)).toMatchObject({ state: 'failed', reason: 'stuck_offline' })
  })
})

test('a rung that is only for those who ask for it is not tried by itself, and has its own time to come online', async () => {
  const device = new ScriptedDevice()
  const reboot: Rung = { method: 'device_reboot', holdMs: 0, onlineMs: 240_000, isOnRequest: true }
  device.ladder = [rung(5_000), reboot]
  device.exitIps = ['10.0.0.1']
  expect(await device.rotate()).toMatchObject({ state: 'unchanged', method: 'airplane_mode' })
  device.online = () => device.clock.sleep(200_000)
  device.exitIps = ['10.0.0.1', '10.0.0.2']
  expect(await device.rotate({ method: 'device_reboot', deadlineAt: device.clock.now() + 300_000 })).toMatchObject({
    state: 'changed',
    method: 'device_reboot',
  })
})

describe('what a rotation teaches', () => {
  const taught = async (script: (device: ScriptedDevice) => void, order: Parameters<ScriptedDevice['rotate']>[0] = {}) => {
    const device = new ScriptedDevice()
    const lessons: string[] = []
    const holds = {
      plan: (rungs: readonly Rung[]) => [rung(2_000), ...rungs],
      tried: async ({ holdMs }: Rung, carrier: string | null, isChanged: boolean, tookMs: number) =>
        void lessons.push(`${holdMs} ${carrier} ${isChanged} ${tookMs}`),
    }
    Object.assign(device.ports, { holds })
    script(device)
    await device.rotate({ deadlineAt: 300_000, ...order })
    return { lessons, downs: device.steps.filter((step) => step.startsWith('down')) }
  }

  test('is what each of its planned holds did, and how long that took', async () => {
    const { lessons } = await taught((device) => {
      device.exitIps = ['10.0.0.1', '10.0.0.1', '10.0.0.2']
    })
    expect(lessons).toEqual(['2000 null false 4000', '5000 null true 7000'])
  })

  test('is that a hold did not work when the device does not come online after it', async () => {
    let tries = 0
    const { lessons } = await taught((device) => {
      device.online = async () => {
        tries += 1
        if (tries === 1) throw error('no_registration')
      }
    })
    expect(lessons).toEqual(['2000 null false 2000', '5000 null true 5000'])
  })

  test('is nothing when the hub does not say the exit IP, and when the device does not obey', async () => {
    const silent = await taught((device) => {
      device.exitIps = ['10.0.0.1', error('probe_failed')]
    })
    expect(silent.lessons).toEqual([])
    const stubborn = await taught((device) => {
      device.down = async () => Promise.reject(error('device_unreachable'))
    })
    expect(stubborn.lessons).toEqual([])
  })

  test('is of the one hold that was asked for, when one was', async () => {
    const { lessons, downs } = await taught(() => {}, { holdMs: 700 })
    expect(downs).toEqual(['down for 700'])
    expect(lessons).toEqual(['700 null true 2700'])
  })
})
