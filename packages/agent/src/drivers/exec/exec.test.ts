import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HastyClock } from '../../../test/hasty-clock.ts'
import { memoryState } from '../../../test/memory-state.ts'
import { createDriver } from '../create-driver.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mp-exec-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const signal = new AbortController().signal
const clock = new HastyClock()

const open = (options: Record<string, unknown> = {}) =>
  createDriver(
    'exec',
    { sourceAddress: '127.10.3.1', down: 'true', up: 'true', ...options },
    { clock, stateDir: memoryState(), name: 'seoul-01' },
  )

describe('the exec driver', () => {
  test('goes down and up by the site’s commands, which are told of the device', async () => {
    const log = join(folder, 'log')
    const driver = await open({
      down: `echo "down $MP_DEVICE $MP_METHOD $MP_HOLD_MS $MP_ADDRESS" >> ${log}`,
      up: ['/bin/sh', '-c', 'echo "up $0" >> "$1"', 'one argument', log],
    })
    await driver.down({ method: 'reconnect', holdMs: 5_000 }, signal)
    await driver.up(signal)
    await driver.waitOnline(signal)
    expect(readFileSync(log, 'utf8')).toBe('down seoul-01 reconnect 5000 127.10.3.1\nup one argument\n')
    expect(driver.sourceAddress()).toBe('127.10.3.1')
  })

  test('says what the status command says', async () => {
    const json = '{"operator":"TestNet","network_type":"LTE","signal":70,"sim":"ready","is_down":true}'
    const driver = await open({ status: ['echo', json] })
    expect(await driver.status(signal)).toEqual({
      sim: 'ready',
      isDown: true,
      telemetry: { operator: 'TestNet', networkType: 'LTE', signal: 70, sim: 'ready' },
    })
  })

  test('knows nothing of a device without a status command', async () => {
    expect(await (await open()).status(signal)).toEqual({ sim: 'unknown', isDown: false, telemetry: {} })
  })

  test.each([
    ['echo LTE', 'prints what cannot be used: it is no JSON'],
    [`echo '{"signal":"good"}'`, 'signal'],
    [`echo '{"colour":"red"}'`, 'colour'],
  ])('a status command `%s` is said to print what cannot be used', async (status, message) => {
    const driver = await open({ status })
    await expect(driver.status(signal)).rejects.toMatchObject({ code: 'device_unreachable', message: expect.stringContaining(message) })
  })

  test.each([
    ['echo "relay: no answer" >&2; exit 7', 'device_unreachable', 'The command down ended with code 7: relay: no answer'],
    ['echo "sim_missing: the tray is empty"; exit 1', 'sim_missing', 'the tray is empty'],
    ['echo "auth_failed:"; exit 1', 'auth_failed', 'The command down says auth_failed.'],
    ['kill -9 $$', 'device_unreachable', 'The command down was killed.'],
    ['exit 1', 'device_unreachable', 'The command down ended with code 1.'],
  ])('a command `%s` fails as %s', async (down, code, message) => {
    const driver = await open({ down })
    await expect(driver.down({ method: 'reconnect', holdMs: 1 }, signal)).rejects.toMatchObject({ code, message })
  })

  test('a command that does not end is ended after its time', async () => {
    const driver = await open({ down: ['sleep', '1000'], timeoutMs: 100 })
    await expect(driver.down({ method: 'reconnect', holdMs: 1 }, signal)).rejects.toThrow('sleep took longer than 100 ms.')
    expect(driver.callTimeoutMs).toBeGreaterThan(100)
  })

  test('is online when its status no longer says that it is down', async () => {
    const file = join(folder, 'looks')
    writeFileSync(file, '')
    const driver = await open({
      status: `echo >> ${file}; [ $(wc -l < ${file}) -gt 2 ] && echo '{}' || echo '{"is_down":true}'`,
    })
    await driver.waitOnline(signal)
    expect(readFileSync(file, 'utf8')).toBe('\n\n\n')
  })

  test('reboots only when asked to, and is switched on when it has booted', async () => {
    const file = join(folder, 'ups')
    writeFileSync(file, '')
    const up = `echo >> ${file}; [ $(wc -l < ${file}) -gt 2 ] || { echo "no route" >&2; exit 1; }`
    const driver = await open({ reboot: ['true'], up, holdsMs: [6_000], method: 'data_toggle' })
    const ladder = await driver.ladder(signal)
    expect(ladder).toEqual([
      { method: 'data_toggle', holdMs: 6_000 },
      { method: 'device_reboot', holdMs: 0, onlineMs: 240_000, isOnRequest: true },
    ])
    await driver.down({ method: 'device_reboot', holdMs: 0 }, signal)
    await driver.up(signal)
    await driver.waitOnline(signal)
    expect(readFileSync(file, 'utf8')).toBe('\n\n\n')
    await expect(driver.down({ method: 'device_reboot', holdMs: 0 }, signal)).rejects.toMatchObject({ code: 'too_soon' })
  })

  test.each([
    [{ down: undefined }, 'driverOptions.down (--driver-options): must be [program, argument, ...], or one string for /bin/sh'],
    [{ up: [] }, 'driverOptions.up (--driver-options): must be [program, argument, ...]'],
    [{ sourceAddress: undefined }, 'one of interface and sourceAddress is needed'],
    [{ interface: 'wwan0' }, 'one of interface and sourceAddress is needed'],
    [{ method: 'device_reboot' }, 'driverOptions.method (--driver-options)'],
    [{ holdMs: 3 }, 'holdMs'],
  ])('refuses the options %j', async (options, message) => {
    await expect(open(options)).rejects.toMatchObject({ code: 'bad_config', message: expect.stringContaining(message) })
  })
})
