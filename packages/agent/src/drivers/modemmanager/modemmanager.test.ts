import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { HastyClock } from '../../../test/hasty-clock.ts'
import { memoryState } from '../../../test/memory-state.ts'
import { hasModemManager, ModemManagerWorld } from '../../../test/modem-manager.ts'
import { type Clock, systemClock } from '../../clock.ts'
import { createDriver } from '../create-driver.ts'
import { failureOf } from './failure.ts'
import { modemReply } from './replies.ts'
import { statusOf } from './status.ts'

const signal = new AbortController().signal
const open = (options: Record<string, unknown> = {}, clock: Clock = systemClock) =>
  createDriver(
    'modemmanager',
    { sourceAddress: '127.10.6.1', apn: 'internet', ...options },
    { clock, stateDir: memoryState(), name: 'moscow-07' },
  )

const withoutIt = hasModemManager ? '' : ' (skipped: needs modemmanager and dbus)'
describe.skipIf(!hasModemManager)(`with the real ModemManager${withoutIt}`, { timeout: 60_000 }, () => {
  let world: ModemManagerWorld
  const folder = mkdtempSync(join(tmpdir(), 'mp-mmt-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  afterEach(() => world.stop())

  test('the driver connects, goes to airplane mode and comes back, and says each time what it sees', async () => {
    world = await ModemManagerWorld.start('telit')
    const log = join(folder, 'connects')
    const driver = await open({
      modem: '123456789012347',
      afterConnect: ['/bin/sh', '-c', `echo "$MP_DEVICE $MP_METHOD $MP_PREFIX" >> ${log}`],
    })
    expect((await driver.status(signal)).isDown).toBe(true)
    await driver.up(signal)
    await driver.waitOnline(signal)
    expect(await driver.status(signal)).toMatchObject({ sim: 'ready', isDown: false, telemetry: { roaming: false } })
    await driver.down({ method: 'airplane_mode', holdMs: 1 }, signal)
    expect((await driver.status(signal)).isDown).toBe(true)
    expect(world.modem.functionality).toBe(4)
    await driver.up(signal)
    await driver.waitOnline(signal)
    expect(world.modem.functionality).toBe(1)
    expect(world.modem.heard.filter((command) => command.startsWith('ATD'))).toHaveLength(2)
    expect(readFileSync(log, 'utf8')).toBe('moscow-07 ppp 0\nmoscow-07 ppp 0\n')
    await driver.down({ method: 'reconnect', holdMs: 1 }, signal)
    expect((await driver.status(signal)).isDown).toBe(true)
    await driver.up(signal)
    expect((await driver.status(signal)).isDown).toBe(false)
  })

  test('a modem whose radio cannot be switched off is found out, and reconnected instead from then on', async () => {
    world = await ModemManagerWorld.start('generic')
    const driver = await open()
    await driver.up(signal)
    await driver.waitOnline(signal)
    await expect(driver.down({ method: 'airplane_mode', holdMs: 1 }, signal)).rejects.toMatchObject({ code: 'unsupported' })
    await driver.up(signal)
    await driver.waitOnline(signal)
    expect((await driver.ladder(signal)).map(({ method, holdMs }) => [method, holdMs])).toEqual([
      ['reconnect', 5_000],
      ['reconnect', 15_000],
      ['reconnect', 45_000],
      ['modem_reset', 0],
    ])
    await expect(driver.down({ method: 'modem_reset', holdMs: 0 }, signal)).rejects.toMatchObject({ code: 'unsupported' })
    const other = await open({ modem: '990000000000000' })
    await expect(other.status(signal)).rejects.toMatchObject({
      code: 'device_unreachable',
      message: 'ModemManager has no modem 990000000000000, but 1 other.',
    })
  })
})

/** What mmcli prints of a modem, with some of it changed. */
const reply = (generic: Record<string, unknown> = {}, network: Record<string, unknown> = {}) => ({
  modem: {
    '3gpp': { imei: 'IMEI', 'operator-code': '00101', 'operator-name': 'TestNet', 'registration-state': 'home', ...network },
    generic: {
      state: 'connected',
      'state-failed-reason': '--',
      'power-state': 'on',
      'signal-quality': { recent: 'yes', value: '70' },
      'access-technologies': ['lte'],
      bearers: [],
      sim: '/org/freedesktop/ModemManager1/SIM/0',
      'unlock-required': '--',
      'equipment-identifier': 'IMEI',
      device: '/sys/devices/usb1/1-1',
      ...generic,
    },
  },
})

describe('the modemmanager driver', () => {
  let folder: string
  let programs = 0
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mp-mmcli-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** A program in the place of mmcli. */
  const program = (script: string): string => {
    programs += 1
    const path = join(folder, `mmcli-${programs}`)
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return path
  }

  test.each([
    [`echo "error: couldn't find the ModemManager process in the bus" >&2; exit 1`, 'device_unreachable', 'systemctl'],
    ['echo \'{"modem-list":[]}\'', 'device_unreachable', 'ModemManager knows no modem'],
    ['echo garbage', 'device_unreachable', 'prints what cannot be read: no JSON'],
    ['echo \'{"modem-list":7}\'', 'device_unreachable', 'modem-list'],
  ])('whose mmcli does `%s` is %s', async (script, code, message) => {
    const driver = await open({ mmcli: program(script) })
    await expect(driver.status(signal)).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
  })

  test('without mmcli says so', async () => {
    const driver = await open({ mmcli: '/nonexistent/mmcli' })
    await expect(driver.status(signal)).rejects.toMatchObject({ code: 'unsupported' })
  })

  test('asks which of two modems, and takes the one that is named wherever it is in the list', async () => {
    const list = '{"modem-list":["/M/1","/M/0"]}'
    const mmcli = program(
      `case "$*" in "-L -J") echo '${list}';; *) printf '%s' '${JSON.stringify(reply())}' | sed "s/IMEI/imei-\${2#/M/}/g";; esac`,
    )
    await expect((await open({ mmcli })).status(signal)).rejects.toThrow('ModemManager has 2 modems')
    expect((await (await open({ mmcli, modem: 'imei-0' })).status(signal)).sim).toBe('ready')
  })

  test('that the carrier denies says no_registration', async () => {
    const denied = reply({ state: 'searching' }, { 'registration-state': 'denied' })
    const mmcli = program(`case "$*" in "-L -J") echo '{"modem-list":["/M/0"]}';; *) echo '${JSON.stringify(denied)}';; esac`)
    const driver = await open({ mmcli }, new HastyClock())
    await expect(driver.waitOnline(signal)).rejects.toMatchObject({ code: 'no_registration' })
  })

  test.each([
    [{ apn: undefined }, 'driverOptions.apn (--driver-options): is missing'],
    [{ apn: 'a,user=b' }, 'driverOptions.apn (--driver-options): may hold no space, comma'],
    [{ ipType: 'v4' }, 'driverOptions.ipType'],
    [{ interface: 'wwan0' }, 'one of interface and sourceAddress is needed'],
  ])('refuses the options %j', async (options, message) => {
    await expect(open(options)).rejects.toMatchObject({ code: 'bad_config', message: expect.stringContaining(message) })
  })
})

describe('what ModemManager says', () => {
  test.each([
    [{}, {}, 'ready', false, { operator: 'TestNet', mccMnc: '00101', networkType: 'LTE', signal: 70, roaming: false }],
    [
      { 'access-technologies': ['lte', '5gnr'] },
      { 'registration-state': 'roaming' },
      'ready',
      false,
      { networkType: '5G NSA', roaming: true },
    ],
    [{ state: 'registered' }, { 'operator-name': '--' }, 'ready', true, { operator: '00101', mccMnc: '00101' }],
    [{ state: 'searching', 'access-technologies': [] }, { 'registration-state': 'searching' }, 'ready', false, {}],
    [{ state: 'disabled', 'power-state': 'low' }, {}, 'ready', true, {}],
    [{ state: 'failed', 'state-failed-reason': 'sim-missing', sim: '--' }, {}, 'missing', false, {}],
    [{ state: 'locked', 'unlock-required': 'sim-pin' }, {}, 'locked', false, {}],
    [{ state: 'connected', 'unlock-required': 'sim-pin2' }, {}, 'ready', false, {}],
    [{ state: 'a new one', sim: '--' }, {}, 'unknown', false, {}],
  ])('of %j, %j is understood', (generic, network, sim, isDown, telemetry) => {
    expect(statusOf(modemReply.parse(reply(generic, network)))).toMatchObject({ sim, isDown, telemetry })
  })

  test.each([
    ["couldn't find modem", 'device_unreachable'],
    ["x: 'GDBus.Error:org.freedesktop.ModemManager1.Error.Core.Unsupported: Cannot reset'", 'unsupported'],
    ["x: 'GDBus.Error:org.freedesktop.ModemManager1.Error.Core.WrongState: not now'", 'busy'],
    ["x: 'GDBus.Error:org.freedesktop.ModemManager1.Error.Core.Unauthorized: PolicyKit'", 'permission_denied'],
    ["x: 'GDBus.Error:org.freedesktop.DBus.Error.AccessDenied: Rejected'", 'permission_denied'],
    ["x: 'GDBus.Error:org.freedesktop.ModemManager1.Error.MobileEquipment.SimNotInserted: SIM'", 'sim_missing'],
    ["x: 'GDBus.Error:org.freedesktop.ModemManager1.Error.MobileEquipment.SimPin: SIM PIN'", 'sim_locked'],
    ["x: 'GDBus.Error:org.freedesktop.ModemManager1.Error.MobileEquipment.NetworkTimeout: late'", 'no_registration'],
    ["x: 'GDBus.Error:org.freedesktop.ModemManager1.Error.MobileEquipment.ServiceOptionNotSubscribed: no'", 'no_data_session'],
    ["x: 'GDBus.Error:org.freedesktop.ModemManager1.Error.MobileEquipment.Unknown: Unknown error'", 'device_unreachable'],
  ])('as an error, %s, is %s', (line, code) => {
    expect(failureOf('--enable', `error: ${line}\n`).code).toBe(code)
  })
})
