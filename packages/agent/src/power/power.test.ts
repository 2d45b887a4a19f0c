import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { HastyClock } from '../../test/hasty-clock.ts'
import { memoryState } from '../../test/memory-state.ts'
import { parseConfig } from '../config.ts'
import { createDriver } from '../drivers/create-driver.ts'
import { powerOptions } from './options.ts'
import { withPower } from './with-power.ts'

const soon = (): AbortSignal => AbortSignal.timeout(20_000)
const cycle = { method: 'power_cycle', holdMs: 0 } as const
const hasUhubctl = spawnSync('uhubctl', ['--version'], { env: { PATH: `${process.env.PATH}:/usr/sbin` } }).error === undefined

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mp-power-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const open = async (power: unknown) => {
  const parts = { clock: new HastyClock(), stateDir: memoryState(), name: 'omsk-05' }
  const driver = await createDriver('simulated', { firstAddress: '127.10.9.1' }, parts)
  return withPower(driver, powerOptions.parse(power), parts)
}
/** A program in this test's folder, which works there. */
const program = (name: string, script: string): string => {
  writeFileSync(join(folder, name), `#!/bin/sh\ncd ${folder}\n${script}\n`, { mode: 0o755 })
  return join(folder, name)
}
const lines = (file: string): string[] => readFileSync(join(folder, file), 'utf8').trim().split('\n')

/** Prints what uhubctl 2.5 prints of a hub with a stick in port 2. */
const uhubctl = (options: { kind?: string; ignores?: string } = {}): string => {
  writeFileSync(join(folder, 'power'), 'on')
  return program(
    'uhubctl',
    `echo "$*" >> log
case "$*" in *"-a ${options.ignores ?? 'nothing'}"*) ;; *"-a "*) echo "$6" > power;; esac
echo "Current status for hub 1-1.4 [2109:2817 VIA Labs, Inc. USB2.0 Hub, USB 2.10, 4 ports, ${options.kind ?? 'ppps'}]"
if [ "$(cat power)" = on ]; then echo "  Port 2: 0503 power highspeed enable connect [12d1:14dc HUAWEI]"; else echo "  Port 2: 0000 off"; fi`,
  )
}

describe('the power of a device', () => {
  test('by uhubctl goes off and on at its own port, and the device has a method more', async () => {
    const driver = await open({ kind: 'uhubctl', hub: '1-1.4', port: 2, uhubctl: uhubctl() })
    expect((await driver.ladder(soon())).at(-1)).toMatchObject({ method: 'power_cycle', isOnRequest: true })
    expect(await driver.status(soon())).toMatchObject({ sim: 'ready' })
    await driver.down(cycle, soon())
    expect(lines('log').filter((line) => line.includes('-a'))).toEqual(['-l 1-1.4 -p 2 -a off', '-l 1-1.4 -p 2 -a on'])
    expect(lines('log').every((line) => line.startsWith('-l 1-1.4 -p 2'))).toBe(true)
    expect(lines('power')).toEqual(['on'])
    await expect(driver.down(cycle, soon())).rejects.toMatchObject({ code: 'too_soon' })
  })

  test('is left alone where a hub switches all its ports together', async () => {
    const driver = await open({ kind: 'uhubctl', hub: '1-1.4', port: 2, uhubctl: uhubctl({ kind: 'ganged' }) })
    await expect(driver.down(cycle, soon())).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('all its ports'),
    })
    expect(lines('log').some((line) => line.includes('-a'))).toBe(false)
  })

  test.each([
    ['off', 'on'],
    ['on', 'off'],
  ])('is not believed to be %s when the hub only says so', async (ignores, left) => {
    const driver = await open({ kind: 'uhubctl', hub: '1-1.4', port: 2, uhubctl: uhubctl({ ignores }) })
    await expect(driver.down(cycle, soon())).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining(ignores) })
    expect(lines('power')).toEqual([left])
  })

  test.skipIf(!hasUhubctl)('by the real uhubctl of a machine without such a hub is unsupported', async () => {
    vi.stubEnv('PATH', `${process.env.PATH}:/usr/sbin`)
    const driver = await open({ kind: 'uhubctl', hub: '99-9', port: 2 })
    await expect(driver.down(cycle, soon())).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('no hub 99-9') })
    vi.unstubAllEnvs()
  })

  test('by the kernel: the device is taken off the USB and given back', async () => {
    const place = join(folder, 'bus/usb/devices/1-13.3')
    mkdirSync(place, { recursive: true })
    writeFileSync(join(place, 'authorized'), '1')
    const driver = await open({ kind: 'usb-reset', device: '1-13.3', sysfsRoot: folder })
    const seen: string[] = []
    vi.spyOn(HastyClock.prototype, 'sleep').mockImplementation(async () => void seen.push(readFileSync(join(place, 'authorized'), 'utf8')))
    await driver.down(cycle, soon())
    vi.restoreAllMocks()
    expect(seen).toEqual(['0'])
    expect(readFileSync(join(place, 'authorized'), 'utf8')).toBe('1')
  })

  test('by the kernel, with nothing at that place, says so and makes no file', async () => {
    const driver = await open({ kind: 'usb-reset', device: '1-9', sysfsRoot: folder })
    await expect(driver.down(cycle, soon())).rejects.toMatchObject({
      code: 'device_unreachable',
      message: expect.stringContaining('nothing at place 1-9'),
    })
  })

  test('is switched on again though the call was aborted, and though the first try fails', async () => {
    const off = program('off', 'echo off >> relay')
    const on = program('on', 'echo "on $MP_DEVICE" >> relay; [ "$(grep -c on relay)" -ge 2 ]')
    const driver = await open({ kind: 'exec', off: [off], on: [on] })
    const call = new AbortController()
    vi.spyOn(HastyClock.prototype, 'sleep').mockImplementation(async () => {
      call.abort(new Error('over'))
      throw call.signal.reason
    })
    await expect(driver.down(cycle, call.signal)).rejects.toThrow('over')
    vi.restoreAllMocks()
    expect(lines('relay')).toEqual(['off', 'on omsk-05', 'on omsk-05'])
  })

  test.each([
    [{ kind: 'gpio' }, 'must be one of: uhubctl, usb-reset, exec'],
    [{ kind: 'uhubctl', hub: '1-1.4' }, 'power.port'],
    [{ kind: 'uhubctl', hub: '-a', port: 1 }, 'must be a hub as uhubctl shows it'],
    [{ kind: 'usb-reset', device: '../../x' }, 'must be a place on the USB'],
    [{ kind: 'exec', off: [], on: ['x'] }, 'must be [program, argument, ...]'],
  ])('%j in a configuration is refused', (power, message) => {
    const config = { hub: 'http://127.0.0.1:3001', name: 'omsk-05', driver: 'simulated', power }
    expect(() => parseConfig(config)).toThrow(message)
  })

  test('as the page has it is taken, and the page names every option', () => {
    const page = readFileSync(new URL('../../../../docs/agent.md', import.meta.url), 'utf8')
    const section = page.slice(page.indexOf('**Power**'), page.indexOf('### `hilink`'))
    const [, json = ''] = /```json\n([\s\S]*?)```/.exec(section) ?? []
    const config = { hub: 'http://127.0.0.1:3001', name: 'omsk-05', driver: 'simulated', ...JSON.parse(json) }
    expect(parseConfig(config).power).toMatchObject({ kind: 'uhubctl' })
    const names = powerOptions.options.flatMap(({ shape }) => Object.keys(shape))
    expect(names.filter((name) => !section.includes(`\`${name}\``))).toEqual([])
  })
})
