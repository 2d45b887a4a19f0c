import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { HastyClock } from '../../../test/hasty-clock.ts'
import { memoryState } from '../../../test/memory-state.ts'
import { type ZteKnobs, ZteSimulator } from '../../../test/zte-simulator.ts'
import { createDriver } from '../create-driver.ts'
import type { DeviceDriver, Rung } from '../driver.ts'

const signal = new AbortController().signal
const started: ZteSimulator[] = []
afterEach(async () => {
  for (const stick of started.splice(0)) await stick.stop()
})

const connect = (url: string, options: Record<string, unknown> = {}): Promise<DeviceDriver> =>
  createDriver(
    'zte',
    { url, sourceAddress: '127.10.5.1', ...options },
    { clock: new HastyClock(), stateDir: memoryState(), name: 'seoul-01' },
  )

const open = async (knobs: Partial<ZteKnobs> = {}, options: Record<string, unknown> = {}) => {
  const stick = await ZteSimulator.start(knobs)
  started.push(stick)
  return { stick, driver: await connect(stick.url, options) }
}

const dataToggle: Rung = { method: 'data_toggle', holdMs: 6_000 }

describe('the zte driver', () => {
  test('says what the stick says of itself', async () => {
    expect(await (await open()).driver.status(signal)).toEqual({
      sim: 'ready',
      isDown: false,
      telemetry: { operator: 'TestNet', networkType: 'LTE', signal: 80, roaming: false, innerIp: '10.64.0.7' },
    })
  })

  test.each([
    ['modem_sim_undetected', 'missing'],
    ['modem_waitpin', 'locked'],
    ['modem_imsi_waitnck', 'unknown'],
  ])('knows the state %s as a SIM that is %s', async (mainState, sim) => {
    expect(await (await open({ mainState })).driver.status(signal)).toMatchObject({ sim })
  })

  test.each([
    { signature: 'none' },
    { signature: 'md5' },
    { signature: 'sha256' },
    { signature: 'md5', password: 'secret' },
    { signature: 'none', password: 'secret', hasLd: false },
  ] satisfies Partial<ZteKnobs>[])('goes off and on again, twice, with a stick that has %j', async (knobs) => {
    const { driver, stick } = await open(knobs, 'password' in knobs ? { password: knobs.password } : {})
    for (let times = 0; times < 2; times += 1) {
      await driver.down(dataToggle, signal)
      expect(await driver.status(signal)).toMatchObject({ isDown: true })
      await driver.up(signal)
      await driver.waitOnline(signal)
      expect(await driver.status(signal)).toMatchObject({ isDown: false })
    }
    expect(stick.orders).toEqual(['DISCONNECT_NETWORK', 'CONNECT_NETWORK', 'DISCONNECT_NETWORK', 'CONNECT_NETWORK'])
    expect(stick.logins).toBe('password' in knobs ? 1 : 0)
  })

  test('tells a wrong password to the stick once: it would lock itself', async () => {
    const { driver, stick } = await open({ password: 'secret' }, { password: 'hunter22' })
    for (let times = 0; times < 4; times += 1)
      await expect(driver.status(signal)).rejects.toMatchObject({
        code: 'auth_failed',
        message: expect.stringContaining('password is wrong'),
      })
    expect(stick.logins).toBe(1)
  })

  test('says that the stick asks for a login', async () => {
    const { driver } = await open({ password: 'secret' })
    await expect(driver.down(dataToggle, signal)).rejects.toMatchObject({
      code: 'auth_failed',
      message: 'The stick asks for a login: give driverOptions.password.',
    })
  })

  test('does not believe that a stick is off that dials by itself', async () => {
    const { driver } = await open({ dialsByItself: true })
    await expect(driver.down(dataToggle, signal)).rejects.toMatchObject({ code: 'unsupported' })
  })

  test('reboots, waits until the stick is gone and back, and has its data on', async () => {
    const { driver, stick } = await open()
    await driver.down({ method: 'device_reboot', holdMs: 0 }, signal)
    await driver.up(signal)
    expect(stick.orders).toEqual(['REBOOT_DEVICE'])
    await driver.waitOnline(signal)
    expect(stick.orders).toEqual(['REBOOT_DEVICE', 'CONNECT_NETWORK'])
  })

  test('says that something else than a stick answers', async () => {
    const server = createServer((_, answer) => void answer.writeHead(404).end('<html>'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const driver = await connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      await expect(driver.status(signal)).rejects.toMatchObject({
        code: 'device_unreachable',
        message: "What answers at the stick's address is no ZTE stick (status 404).",
      })
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })

  test('refuses options that it does not have', async () => {
    await expect(connect('http://192.168.0.1', { username: 'admin' })).rejects.toMatchObject({
      code: 'bad_config',
      message: expect.stringContaining('username'),
    })
  })
})
