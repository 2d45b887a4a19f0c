import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { FakePhone } from '../../../test/fake-adbd.ts'
import { freePort } from '../../../test/free-port.ts'
import { memoryState } from '../../../test/memory-state.ts'
import type { PhoneKnobs } from '../../../test/phone-tools.ts'
import { systemClock } from '../../clock.ts'
import { createDriver } from '../create-driver.ts'
import type { DeviceDriver, Rung } from '../driver.ts'

const hasAdb = (() => {
  try {
    execFileSync('adb', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()
if (!hasAdb) console.log('skipped: phones by adb, since "adb" is missing (apt-get install adb)')

const airplane: Rung = { method: 'airplane_mode', holdMs: 0 }
const soon = (): AbortSignal => AbortSignal.timeout(15_000)

describe.skipIf(!hasAdb)('the android-adb driver, with the real adb', () => {
  const home = mkdtempSync(join(tmpdir(), 'mp-adb-'))
  const phones: FakePhone[] = []
  let adbPort: number
  const adb = (...args: string[]): string =>
    execFileSync('adb', ['-P', String(adbPort), ...args], { encoding: 'utf8', env: { ...process.env, HOME: home } })

  beforeAll(async () => {
    adbPort = await freePort()
    // Its keys and its log are not the user's.
    vi.stubEnv('HOME', home)
    adb('start-server')
  }, 30_000)
  afterEach(async () => {
    for (const phone of phones.splice(0)) await phone.stop()
  })
  afterAll(() => {
    adb('kill-server')
    rmSync(home, { recursive: true, force: true })
  })

  const open = async (knobs: Partial<PhoneKnobs> = {}, options: Record<string, unknown> = {}) => {
    const phone = await FakePhone.start(knobs)
    phones.push(phone)
    const driver = await createDriver(
      'android-adb',
      { serial: phone.serial, adbPort, sourceAddress: '127.10.4.1', holdsMs: [10, 20], ...options },
      { clock: systemClock, stateDir: memoryState(), name: 'seoul-01' },
    )
    return { phone, driver }
  }
  const cycle = async (driver: DeviceDriver, rung: Rung): Promise<void> => {
    await driver.down(rung, soon())
    await driver.up(soon())
    await driver.waitOnline(soon())
  }

  test('says what the phone says of itself', async () => {
    const { driver } = await open()
    expect(await driver.status(soon())).toEqual({
      sim: 'ready',
      isDown: false,
      telemetry: {
        operator: 'TestNet',
        mccMnc: '25001',
        innerIp: '10.64.0.49',
        networkType: 'LTE',
        roaming: false,
        signal: 75,
        battery: 83,
        temperature: 31.2,
      },
    })
    expect(driver.nameServers?.()).toEqual(['10.1.1.1', '10.1.1.2'])
    expect((await driver.ladder(soon())).map(({ method, holdMs, isOnRequest }) => [method, holdMs, isOnRequest ?? false])).toEqual([
      ['airplane_mode', 10, false],
      ['airplane_mode', 20, false],
      ['data_toggle', 10, true],
      ['device_reboot', 0, true],
    ])
  })

  test.each([
    ['ABSENT,ABSENT', 'missing'],
    ['PIN_REQUIRED,ABSENT', 'locked'],
    ['NOT_READY,', 'unknown'],
  ])('knows SIM states %s as %s', async (simState, sim) => {
    const { driver } = await open({ simState })
    expect(await driver.status(soon())).toMatchObject({ sim })
  })

  test('goes to airplane mode and is online again when its network is validated, twice', async () => {
    const { driver, phone } = await open()
    for (let times = 0; times < 2; times += 1) {
      await driver.down(airplane, soon())
      expect(phone.isAirplaneMode).toBe(true)
      expect(await driver.status(soon())).toMatchObject({ isDown: true })
      await driver.up(soon())
      await driver.waitOnline(soon())
      expect(phone.isAirplaneMode).toBe(false)
      expect(await driver.status(soon())).toMatchObject({ isDown: false })
    }
  })

  test('leaves a guard on the phone, which switches it on when nobody else does, and which goes when somebody has', async () => {
    const { driver, phone } = await open()
    await driver.down({ ...airplane, holdMs: 1 }, soon())
    const [script = ''] = phone.scripts.filter((text) => text.includes('nohup'))
    expect(script).toContain('sleep 61; cmd connectivity airplane-mode disable')
    // What the phone was given, with less patience, and the host is gone.
    await phone.vanish()
    const env = { PATH: `${phone.folder}/bin:/usr/bin:/bin`, TMPDIR: `${phone.folder}/tmp` }
    execFileSync('/bin/sh', ['-c', script.replace('sleep 61', 'sleep 0.2')], { env })
    expect(phone.isAirplaneMode).toBe(true)
    await vi.waitFor(() => expect(phone.isAirplaneMode).toBe(false), 5_000)

    await phone.appear()
    await cycle(driver, airplane)
    expect(() => execFileSync('cat', [`${phone.folder}/tmp/mobilepool-guard`], { stdio: 'ignore' })).toThrow()
  })

  test('switches data off and on where the shell may not switch airplane mode', async () => {
    const { driver, phone } = await open({ hasAirplaneMode: false })
    const [first] = await driver.ladder(soon())
    expect(first).toEqual({ method: 'data_toggle', holdMs: 10 })
    await driver.down(first ?? airplane, soon())
    expect(phone.isDataOn).toBe(false)
    await driver.up(soon())
    await driver.waitOnline(soon())
    expect(phone.isDataOn).toBe(true)
  })

  test('does not believe a phone that takes the command and does nothing', async () => {
    const { driver } = await open({ ignoresCommands: true })
    const clock = { now: Date.now(), sleep: 0 }
    vi.spyOn(systemClock, 'now').mockImplementation(() => clock.now)
    vi.spyOn(systemClock, 'sleep').mockImplementation(async (ms) => {
      clock.now += ms
    })
    await expect(driver.down(airplane, soon())).rejects.toMatchObject({
      code: 'unsupported',
      message: 'The phone took "cmd connectivity airplane-mode enable" and did not do it.',
    })
    vi.restoreAllMocks()
  })

  test('reboots, waits until the phone is gone and back, and keeps to its budget', async () => {
    const { driver, phone } = await open()
    const reboot: Rung = { method: 'device_reboot', holdMs: 0 }
    await cycle(driver, reboot)
    expect(phone.reboots).toBe(1)
    expect(await driver.status(soon())).toMatchObject({ isDown: false })
    await expect(driver.down(reboot, soon())).rejects.toMatchObject({ code: 'too_soon' })
  })

  test('says that the phone has not allowed this host', async () => {
    const { driver } = await open({ isUnauthorized: true })
    await expect(driver.status(soon())).rejects.toMatchObject({
      code: 'permission_denied',
      message: expect.stringContaining('confirm "Allow USB debugging"'),
    })
  })

  test('is unreachable while the phone is away, and works when it is back', async () => {
    const { driver, phone } = await open()
    await driver.status(soon())
    await phone.vanish()
    await expect(driver.status(soon())).rejects.toMatchObject({ code: 'device_unreachable' })
    await phone.appear()
    await vi.waitFor(async () => expect(await driver.status(soon())).toMatchObject({ sim: 'ready' }), 10_000)
  })

  test('ends at once when its call is aborted, and the next call is not held up', async () => {
    const { driver, phone } = await open()
    await driver.status(soon())
    phone.knobs.isSilent = true
    const call = new AbortController()
    const asking = driver.status(call.signal)
    const ends = expect(asking).rejects.toThrow('over')
    await vi.waitFor(() => expect(phone.unanswered).toBe(1), 10_000)
    call.abort(new Error('over'))
    await ends
    phone.knobs.isSilent = false
    expect(await driver.status(soon())).toMatchObject({ sim: 'ready' })
  })

  test.each([
    [{ serial: 'a b' }, 'must be a serial number or host:port'],
    [{ tethering: 'wifi' }, 'driverOptions.tethering'],
    [{ sourceAddress: undefined }, 'one of interface and sourceAddress is needed'],
  ])('refuses the options %j', async (options, message) => {
    await expect(open({}, options)).rejects.toMatchObject({ code: 'bad_config', message: expect.stringContaining(message) })
  })
})
