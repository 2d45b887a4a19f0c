import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { memoryState } from '../../../test/memory-state.ts'
import { type PhoneKnobs, PhoneTools } from '../../../test/phone-tools.ts'
import { systemClock } from '../../clock.ts'
import { createDriver } from '../create-driver.ts'
import type { Rung } from '../driver.ts'

const airplane: Rung = { method: 'airplane_mode', holdMs: 0 }
const soon = (): AbortSignal => AbortSignal.timeout(15_000)

/** Magisk's su and Shizuku's rish, which note what they were asked; the real ones differ in the user that they become. */
const su = 'echo "$2" >> "$(dirname "$0")/../su.log"; [ "$2" = id ] && { echo "uid=0(root) gid=0(root)"; exit; }; exec /bin/sh -c "$2"'
const rish = `[ "$RISH_APPLICATION_ID" = com.termux ] || { echo "RISH_APPLICATION_ID is not set" >&2; exit 1; }
[ -e "$(dirname "$0")/../no-shizuku" ] && { echo "Server is not running" >&2; exit 1; }
[ "$2" = id ] && { echo "uid=2000(shell) gid=2000(shell)"; exit; }
exec /bin/sh -c "$2"`
const deniedSu = 'echo "Permission denied" >&2; exit 13'

describe('the android-local driver, on a real sh', () => {
  const phones: PhoneTools[] = []
  afterEach(() => {
    vi.unstubAllEnvs()
    for (const phone of phones.splice(0)) {
      const guard = join(phone.env.TMPDIR, 'mobilepool-guard')
      // Each guard leads a group of its own no longer than the test.
      if (existsSync(guard)) execFileSync('kill', [readFileSync(guard, 'utf8').trim()])
      phone.remove()
    }
  })

  const open = async (tools: Record<string, string>, options: Record<string, unknown> = {}, knobs: Partial<PhoneKnobs> = {}) => {
    const phone = new PhoneTools({ address: '127.10.4.9', ...knobs })
    phones.push(phone)
    // This machine has a su of its own.
    for (const [name, lines] of Object.entries({ su: deniedSu, ...tools })) phone.addTool(name, lines)
    vi.stubEnv('PATH', phone.env.PATH)
    vi.stubEnv('TMPDIR', phone.env.TMPDIR)
    const driver = await createDriver(
      'android-local',
      { holdsMs: [10, 20], ...options },
      { clock: systemClock, stateDir: memoryState(), name: 'seoul-01' },
    )
    return { phone, driver }
  }

  test.each([
    ['su', { su }],
    ['rish, where su is denied', { rish }],
  ])('by %s goes to airplane mode and is online again by the address that its cell has then', async (_, tools) => {
    const { driver, phone } = await open(tools)
    expect(driver.sourceAddress()).toBeNull()
    expect(await driver.status(soon())).toEqual({
      sim: 'ready',
      isDown: false,
      telemetry: expect.objectContaining({
        operator: 'TestNet',
        mccMnc: '25001',
        innerIp: expect.stringMatching(/^[\d.]+$/),
        networkType: 'LTE',
        battery: 83,
        interface: 'rmnet_data0',
      }),
    })
    expect(driver.sourceAddress()).toBe('127.10.4.9')
    expect(driver.hostAddresses).toEqual(['127.0.0.1', '192.168.1.7'])
    expect(driver.nameServers?.()).toEqual(['10.1.1.1', '10.1.1.2'])
    expect(driver.link).toBeUndefined()
    await driver.down(airplane, soon())
    expect(phone.isAirplaneMode).toBe(true)
    expect(driver.sourceAddress()).toBeNull()
    expect(existsSync(join(phone.env.TMPDIR, 'mobilepool-guard'))).toBe(true)
    await driver.up(soon())
    await driver.waitOnline(soon())
    expect(phone.isAirplaneMode).toBe(false)
    expect(driver.sourceAddress()).toBe('127.10.4.9')
    expect(existsSync(join(phone.env.TMPDIR, 'mobilepool-guard'))).toBe(false)
  })

  test('leaves a guard that switches the phone on when the agent is gone', async () => {
    const { driver, phone } = await open({ su })
    await driver.down({ ...airplane, holdMs: 1 }, soon())
    const scripts = readFileSync(join(phone.folder, 'su.log'), 'utf8')
    expect(scripts).toContain('sleep 61; cmd connectivity airplane-mode disable')
    // The guard as it was given, with less patience.
    const arm = scripts.slice(scripts.lastIndexOf('t=$TMPDIR', scripts.indexOf('sleep 61')), scripts.indexOf('enable 2>&1'))
    execFileSync('/bin/sh', ['-c', `${arm.replace('sleep 61', 'sleep 0.2')}enable`], { env: phone.env })
    expect(phone.isAirplaneMode).toBe(true)
    await vi.waitFor(() => expect(phone.isAirplaneMode).toBe(false), 5_000)
  })

  test('switches data where even that shell may not switch airplane mode', async () => {
    const { driver, phone } = await open({ rish }, {}, { hasAirplaneMode: false })
    expect(await driver.ladder(soon())).toContainEqual({ method: 'data_toggle', holdMs: 10 })
    await driver.down({ method: 'data_toggle', holdMs: 10 }, soon())
    expect(phone.isDataOn).toBe(false)
    await driver.up(soon())
    await driver.waitOnline(soon())
    expect(phone.isDataOn).toBe(true)
  })

  test('says what both said when neither has the rights, and keeps to the one that is named', async () => {
    const { driver } = await open({})
    await expect(driver.status(soon())).rejects.toMatchObject({
      code: 'permission_denied',
      message: expect.stringMatching(/root the phone, or start Shizuku.* su: Permission denied rish: There is no program rish/),
    })
    const other = await open({ su, rish: 'echo "uid=10123(u0_a123)"' }, { shell: 'rish' })
    await expect(other.driver.status(soon())).rejects.toMatchObject({
      code: 'permission_denied',
      message: expect.stringContaining('rish: uid=10123(u0_a123)'),
    })
  })

  test('says that Shizuku has ended, and works when it runs again', async () => {
    const { driver, phone } = await open({ rish })
    await driver.status(soon())
    execFileSync('touch', [join(phone.folder, 'no-shizuku')])
    await expect(driver.status(soon())).rejects.toMatchObject({ code: 'permission_denied', message: 'rish refuses: Server is not running' })
    rmSync(join(phone.folder, 'no-shizuku'))
    expect(await driver.status(soon())).toMatchObject({ sim: 'ready' })
  })

  test('takes the interface that is named, and no other', async () => {
    const { driver } = await open({ su }, { interface: 'wlan0' })
    await driver.status(soon())
    expect(driver.sourceAddress()).toBe('192.168.1.7')
    const { driver: none } = await open({ su }, { interface: 'ccmni0' })
    await none.status(soon())
    expect(none.sourceAddress()).toBeNull()
  })

  test.each([
    [{ shell: 'adb' }, 'driverOptions.shell'],
    [{ interface: 'a-name-that-is-too-long' }, 'driverOptions.interface'],
    [{ serial: 'x' }, 'Unrecognized key: "serial"'],
  ])('refuses the options %j', async (options, message) => {
    await expect(open({}, options)).rejects.toMatchObject({ code: 'bad_config', message: expect.stringContaining(message) })
  })
})
