import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeQmicli } from '../../../test/fake-qmicli.ts'
import { HastyClock } from '../../../test/hasty-clock.ts'
import { memoryState } from '../../../test/memory-state.ts'
import { systemClock } from '../../clock.ts'
import { createDriver } from '../create-driver.ts'
import { failureOf } from './failure.ts'
import { servingSystemOf, settingsOf, signalOf, simOf } from './replies.ts'

const soon = (): AbortSignal => AbortSignal.timeout(20_000)
const hasQmicli = spawnSync('qmicli', ['--version']).error === undefined

describe('the qmi driver', () => {
  let modem: FakeQmicli
  beforeEach(() => {
    modem = new FakeQmicli()
  })
  afterEach(() => modem.remove())

  const open = (options: Record<string, unknown> = {}, stateDir = memoryState(), clock = systemClock) =>
    createDriver(
      'qmi',
      { sourceAddress: '127.10.7.1', apn: 'internet', qmicli: modem.program, ...options },
      { clock, stateDir, name: 'moscow-07' },
    )

  test('connects, says what the modem says, and hands on what the carrier gave', async () => {
    const log = join(modem.folder, 'connects')
    const hook = `echo "$MP_DEVICE $MP_METHOD $MP_ADDRESS/$MP_PREFIX via $MP_GATEWAY dns $MP_DNS mtu $MP_MTU" >> ${log}`
    const driver = await open({ afterConnect: ['/bin/sh', '-c', hook] })
    expect(await driver.status(soon())).toMatchObject({ isDown: true })
    await driver.up(soon())
    await driver.waitOnline(soon())
    expect(await driver.status(soon())).toEqual({
      sim: 'ready',
      isDown: false,
      telemetry: { operator: 'TestNet', mccMnc: '00101', networkType: 'LTE', roaming: false, signal: 70 },
    })
    expect(driver.nameServers?.()).toEqual(['10.1.1.1', '10.1.1.2'])
    expect(readFileSync(log, 'utf8')).toBe('moscow-07 static 10.64.12.34/30 via 10.64.12.33 dns 10.1.1.1 10.1.1.2 mtu 1500\n')
  })

  test('goes to low power and comes back with a call of its own', async () => {
    const driver = await open()
    await driver.up(soon())
    await driver.down({ method: 'airplane_mode', holdMs: 1 }, soon())
    expect(modem.get('mode')).toBe('low-power')
    expect(await driver.status(soon())).toMatchObject({ isDown: true, telemetry: {} })
    await driver.up(soon())
    await driver.waitOnline(soon())
    expect(modem.get('connected')).toBe('connected')
    expect(modem.done).toEqual([
      "--wds-start-network=apn='internet',ip-type=4 --client-no-release-cid",
      '--wds-stop-network=41221944 --client-cid=4',
      '--dms-set-operating-mode=low-power',
      '--dms-set-operating-mode=online',
      "--wds-start-network=apn='internet',ip-type=4 --client-no-release-cid",
    ])
  })

  test('ends the call of an agent before it, and says so when the call is not its own', async () => {
    const state = memoryState()
    await (await open({}, state)).up(soon())
    await (await open({}, state)).down({ method: 'reconnect', holdMs: 1 }, soon())
    expect(modem.get('connected')).toBe('disconnected')
    modem.set('connected', 'connected')
    const stranger = await open()
    await expect(stranger.down({ method: 'reconnect', holdMs: 1 }, soon())).rejects.toMatchObject({ code: 'unsupported' })
  })

  test('resets the modem by way of offline, waits until it is back, and keeps to its budget', async () => {
    const driver = await open()
    await driver.up(soon())
    await driver.down({ method: 'modem_reset', holdMs: 0 }, soon())
    await driver.up(soon())
    await driver.waitOnline(soon())
    expect(modem.done.slice(1, 3)).toEqual(['--dms-set-operating-mode=offline', '--dms-set-operating-mode=reset'])
    expect(modem.get('connected')).toBe('connected')
    await expect(driver.down({ method: 'modem_reset', holdMs: 0 }, soon())).rejects.toMatchObject({ code: 'too_soon' })
  })

  test('does not believe a modem that takes low-power and does nothing', async () => {
    modem.set('stuck', '')
    await expect((await open()).down({ method: 'airplane_mode', holdMs: 1 }, soon())).rejects.toMatchObject({ code: 'unsupported' })
  })

  test('says why the carrier does not connect, and that it denies the registration', async () => {
    modem.set('refuses', 'unknown-apn')
    await expect((await open()).up(soon())).rejects.toMatchObject({
      code: 'no_data_session',
      message: 'qmicli --wds-start-network: CallFailed ([3gpp] unknown-apn)',
    })
    modem.set('registration', 'registration-denied')
    await expect((await open({}, memoryState(), new HastyClock())).waitOnline(soon())).rejects.toMatchObject({ code: 'no_registration' })
  })

  test.each([
    ['absent', '', 'missing'],
    ['present', 'pin1-or-upin-pin-required', 'locked'],
    ['present', 'detected', 'unknown'],
  ])('knows a card that is %s and %s as %s', async (card, app, sim) => {
    modem.set('card', card)
    modem.set('app', app)
    expect(await (await open()).status(soon())).toMatchObject({ sim })
  })

  test.skipIf(!hasQmicli)('with the real qmicli says that there is no such port', async () => {
    const driver = await open({ qmicli: 'qmicli', device: '/dev/cdc-wdm77' })
    await expect(driver.status(soon())).rejects.toMatchObject({
      code: 'device_unreachable',
      message: 'There is no /dev/cdc-wdm77: is the modem connected, and in its QMI mode?',
    })
  })

  test('without qmicli says so', async () => {
    await expect((await open({ qmicli: '/nonexistent/qmicli' })).status(soon())).rejects.toMatchObject({ code: 'unsupported' })
  })

  test.each([
    [{ apn: undefined }, 'driverOptions.apn (--driver-options): is missing'],
    [{ apn: "a',user='b" }, 'driverOptions.apn (--driver-options): may hold no space, comma'],
    [{ device: 'cdc-wdm0' }, 'must be a path, like /dev/cdc-wdm0'],
    [{ interface: 'wwan0' }, 'one of interface and sourceAddress is needed'],
  ])('refuses the options %j', async (options, message) => {
    await expect(open(options)).rejects.toMatchObject({ code: 'bad_config', message: expect.stringContaining(message) })
  })
})

describe('what qmicli says', () => {
  test.each([
    ["error: couldn't set operating mode: QMI protocol error (94): 'NotSupported'", 'unsupported'],
    ["error: couldn't get card status: QMI protocol error (53): 'NetworkNotReady'", 'no_registration'],
    ["error: couldn't x: QMI protocol error (82): 'AccessDenied'", 'permission_denied'],
    ["error: couldn't x: QMI protocol error (77): 'UimUninitialized'", 'sim_missing'],
    ["error: couldn't x: QMI protocol error (34): 'SomethingNew'", 'device_unreachable'],
    ["error: couldn't open the QmiDevice: Failed to open device: Permission denied", 'permission_denied'],
    ['', 'device_unreachable'],
  ])('on failing, `%s`, means %s', (stderr, code) => {
    expect(failureOf('--x', '/dev/cdc-wdm0', stderr)).toMatchObject({ code })
  })

  test('of what it does not know is nothing', () => {
    expect(simOf('')).toBe('unknown')
    expect(servingSystemOf('')).toEqual({ registration: 'searching', telemetry: {} })
    expect(signalOf("LTE:\n\tRSRP: 'n/a'\n")).toBeNull()
    expect(settingsOf('')).toEqual({ method: 'static', address: null, prefix: null, gateway: null, dns: [], mtu: null })
  })

  test('names 5G beside LTE as what it is', () => {
    const text = "\tRegistration state: 'registered'\n\tRadio interfaces: '2'\n\t\t[0]: 'lte'\n\t\t[1]: '5gnr'\n\tRoaming status: 'on'\n"
    expect(servingSystemOf(text).telemetry).toEqual({ networkType: '5G NSA', roaming: true })
  })
})
