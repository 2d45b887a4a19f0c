import { afterEach, describe, expect, test } from 'vitest'
import { AtLine, hasSerialPorts } from '../../../test/at-line.ts'
import { type AtKnobs, AtModem } from '../../../test/at-modem.ts'
import { HastyClock } from '../../../test/hasty-clock.ts'
import { memoryState } from '../../../test/memory-state.ts'
import { createDriver } from '../create-driver.ts'
import type { DeviceDriver, Rung } from '../driver.ts'

const signal = new AbortController().signal
const airplane: Rung = { method: 'airplane_mode', holdMs: 5_000 }
const openDriver = (options: Record<string, unknown>, clock = new HastyClock()) =>
  createDriver('at', { sourceAddress: '127.10.5.1', ...options }, { clock, stateDir: memoryState(), name: 'kazan-02' })

let line: AtLine | null = null
let driver: DeviceDriver | null = null
afterEach(async () => {
  await driver?.close?.()
  await line?.close()
  line = null
  driver = null
})

const plugIn = async (knobs: Partial<AtKnobs> = {}, options: Record<string, unknown> = {}) => {
  const modem = new AtModem(knobs)
  line = await AtLine.open(modem)
  driver = await openDriver({ port: line.path, ...options })
  return { modem, line, driver }
}

const withoutPorts = hasSerialPorts ? '' : ' (skipped: needs socat)'
describe.skipIf(!hasSerialPorts)(`the at driver, on a serial port${withoutPorts}`, () => {
  test.each([
    ['generic', { networkType: 'LTE', signal: 71 }],
    ['SIMCom', { networkType: 'LTE', signal: 70, mccMnc: '46001' }],
    ['Quectel', { networkType: '5G NSA', signal: 50, mccMnc: '302610' }],
  ] as const)('says what a %s modem says of itself', async (vendor, cell) => {
    const { driver: opened } = await plugIn({ vendor })
    expect(await opened.status(signal)).toEqual({
      sim: 'ready',
      isDown: false,
      telemetry: { operator: 'TestNet', roaming: false, innerIp: expect.stringMatching(/^10\./), ...cell },
    })
  })

  test('is not confused by echo and by what the modem says between its lines', async () => {
    const { driver: opened } = await plugIn({
      echo: true,
      noise: ['+CREG: 0', '+CGEV: NW DETACH', 'NO CARRIER', '+CEREG: 5,"1A2B","01C0FFEE",7', 'RDY'],
    })
    expect(await opened.status(signal)).toMatchObject({ sim: 'ready', isDown: false, telemetry: { signal: 71, roaming: false } })
  })

  test.each([
    ['airplane_mode', 'AT+CFUN=4', 'AT+CFUN=1'],
    ['reconnect', 'AT+CGATT=0', 'AT+CGATT=1'],
    ['network_reset', 'AT+COPS=2', 'AT+COPS=0'],
  ] as const)('%s goes down by %s, is seen to be down, and up by %s', async (method, off, on) => {
    const { driver: opened, modem } = await plugIn({ looksUntilRegistered: 3 })
    await opened.down({ method, holdMs: 1 }, signal)
    expect((await opened.status(signal)).isDown).toBe(true)
    await opened.up(signal)
    await opened.waitOnline(signal)
    expect((await opened.status(signal)).isDown).toBe(false)
    expect(modem.heard.filter((command) => command === off || command === on)).toEqual([off, on])
    expect(modem.attachments).toBe(2)
    expect(opened.sourceAddress()).toBe('127.10.5.1')
  })

  test('up() changes nothing of a modem that is on', async () => {
    const { driver: opened, modem } = await plugIn()
    await opened.up(signal)
    await opened.up(signal)
    expect(modem.heard.filter((command) => /=[0-4]$/.test(command))).toEqual(['AT+CMEE=1'])
  })

  test('without coverage is not taken for switched off', async () => {
    const { driver: opened } = await plugIn({ looksUntilRegistered: Number.POSITIVE_INFINITY })
    await opened.down(airplane, signal)
    await opened.up(signal)
    expect((await opened.status(signal)).isDown).toBe(false)
  })

  test('dials once it is registered, and again after each rotation', async () => {
    const { driver: opened, modem } = await plugIn({ answers: { 'AT$QCRMCALL=1,1': '$QCRMCALL: 1,V4' } }, { dial: 'AT$QCRMCALL=1,1' })
    await opened.waitOnline(signal)
    await opened.waitOnline(signal)
    await opened.down(airplane, signal)
    await opened.up(signal)
    await opened.waitOnline(signal)
    expect(modem.heard.filter((command) => command.includes('QCRMCALL'))).toHaveLength(2)
  })

  test('that the carrier denies says no_registration, and not at the first denial', async () => {
    const { driver: opened, modem } = await plugIn({ isDenied: true })
    await expect(opened.waitOnline(signal)).rejects.toMatchObject({ code: 'no_registration' })
    expect(modem.heard.filter((command) => command === 'AT+CEREG?')).toHaveLength(5)
  })

  test.each([
    ['+CME ERROR: 10', 'missing'],
    ['+CME ERROR: SIM not inserted', 'missing'],
    ['+CPIN: SIM PIN', 'locked'],
    ['+CME ERROR: 12', 'locked'],
    ['+CME ERROR: 14', 'unknown'],
  ])('whose SIM says %s has a SIM that is %s', async (sim, state) => {
    const { driver: opened } = await plugIn({ sim })
    expect((await opened.status(signal)).sim).toBe(state)
  })

  test.each([
    ['ERROR', 'unsupported'],
    ['+CME ERROR: 3', 'unsupported'],
    ['+CME ERROR: 30', 'no_registration'],
    ['+CME ERROR: no network service', 'no_registration'],
    ['+CME ERROR: 11', 'sim_locked'],
    ['+CME ERROR: 100', 'device_unreachable'],
  ])('that answers CFUN=4 with %s fails as %s', async (answer, code) => {
    const { driver: opened } = await plugIn({ answers: { 'AT+CFUN=4': answer } })
    await expect(opened.down(airplane, signal)).rejects.toMatchObject({ code, message: `The modem answers AT+CFUN=4 with ${answer}.` })
  })

  test('that says OK and stays on is unsupported', async () => {
    const { driver: opened } = await plugIn({ answers: { 'AT+CFUN=4': 'OK' } })
    await expect(opened.down(airplane, signal)).rejects.toMatchObject({ code: 'unsupported' })
  })

  test('a command that is given up leaves the next ones in step, its late answer too', async () => {
    const { driver: opened, modem, line: port } = await plugIn({ answers: { 'AT+CFUN=4': null } })
    const patience = new AbortController()
    const down = opened.down(airplane, patience.signal)
    await expect.poll(() => modem.heard.at(-1)).toBe('AT+CFUN=4')
    patience.abort(new Error('given up'))
    await expect(down).rejects.toThrow('given up')
    const status = opened.status(signal)
    port.say('\r\n+CME ERROR: 100\r\n')
    expect(await status).toMatchObject({ sim: 'ready', telemetry: { operator: 'TestNet' } })
  })

  test('that never answers is told so in bounded time', async () => {
    const { driver: opened } = await plugIn({ answers: { AT: null } })
    await expect(opened.status(signal)).rejects.toMatchObject({
      code: 'device_unreachable',
      message: expect.stringMatching(/did not answer AT within 1000 ms/),
    })
  })

  test('commands of two callers do not mix', async () => {
    const { driver: opened, modem } = await plugIn({ vendor: 'Quectel' })
    const [first, second] = await Promise.all([opened.status(signal), opened.status(signal)])
    expect(second).toEqual(first)
    expect(modem.heard.filter((command) => command === 'ATE0')).toHaveLength(1)
  })

  test('whose port vanishes in the middle of a command is unreachable at once, and is found again when it is back', async () => {
    const { driver: opened, modem, line: port } = await plugIn({ answers: { 'AT+CFUN=4': null } })
    const down = opened.down(airplane, signal)
    await expect.poll(() => modem.heard.at(-1)).toBe('AT+CFUN=4')
    const failed = expect(down).rejects.toMatchObject({ code: 'device_unreachable', message: expect.stringContaining('went away') })
    await port.unplug()
    await failed
    await expect(opened.status(signal)).rejects.toMatchObject({ code: 'device_unreachable', message: expect.stringContaining('no port') })
    await port.plugIn()
    expect((await opened.status(signal)).sim).toBe('ready')
  })

  test.each([
    ['SIMCom', 'AT+CRESET'],
    ['Quectel', 'AT+CFUN=1,1'],
  ] as const)('a %s modem is reset by %s, waited for while it is away, and is online when it is back', async (vendor, command) => {
    const { driver: opened, modem, line: port } = await plugIn({ vendor, looksUntilRegistered: 2 })
    const gone = new Promise((resolve) => {
      modem.onReset = () => resolve(port.unplug())
    })
    await opened.down({ method: 'modem_reset', holdMs: 0 }, signal)
    await gone
    await opened.up(signal)
    const online = opened.waitOnline(signal)
    await port.plugIn()
    await online
    expect(modem.heard).toContain(command)
    expect(modem.resets).toBe(1)
    await expect(opened.down({ method: 'modem_reset', holdMs: 0 }, signal)).rejects.toMatchObject({ code: 'too_soon' })
  })

  test('whose port another program has is busy', async () => {
    const { driver: opened, line: port } = await plugIn()
    await opened.status(signal)
    const second = await openDriver({ port: port.path })
    await expect(second.status(signal)).rejects.toMatchObject({ code: 'busy', message: expect.stringContaining('ModemManager') })
  })
})

describe('the at driver', () => {
  test('without its port says which', async () => {
    const opened = await openDriver({ port: '/dev/mobilepool-none' })
    await expect(opened.status(signal)).rejects.toMatchObject({
      code: 'device_unreachable',
      message: 'There is no port /dev/mobilepool-none: is the modem connected and switched on?',
    })
  })

  test('offers the mild tries by themselves, the others on request', async () => {
    const ladder = await (await openDriver({ port: '/dev/ttyUSB2', holdsMs: [4_000] })).ladder(signal)
    expect(ladder.map(({ method, holdMs, isOnRequest }) => [method, holdMs, isOnRequest === true])).toEqual([
      ['airplane_mode', 4_000, false],
      ['reconnect', 5_000, true],
      ['network_reset', 45_000, true],
      ['modem_reset', 0, true],
    ])
  })

  test.each([
    [{}, 'driverOptions.port (--driver-options): is missing'],
    [{ port: 'ttyUSB2' }, 'driverOptions.port (--driver-options): must be the path of a serial port'],
    [{ port: '/dev/ttyUSB2', dial: 'ATD*99#' }, 'driverOptions.dial (--driver-options): must not be ATD'],
    [{ port: '/dev/ttyUSB2', dial: 'AT+X\r\nAT+CFUN=0' }, 'must be one AT command'],
    [{ port: '/dev/ttyUSB2', interface: 'wwan0' }, 'one of interface and sourceAddress is needed'],
  ])('refuses the options %j', async (options, message) => {
    await expect(openDriver(options)).rejects.toMatchObject({ code: 'bad_config', message: expect.stringContaining(message) })
  })
})
