import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eventually } from './agent-process.ts'
import { type AtKnobs, AtModem } from './at-modem.ts'

const DAEMON = '/usr/sbin/ModemManager'
const run = promisify(execFile)

/** Whether the real ModemManager, its command and a bus of its own can run here. */
export const hasModemManager =
  existsSync(DAEMON) && ['mmcli', 'dbus-daemon', 'dbus-send'].every((program) => spawnSync(program, ['--version']).error === undefined)

/** What ModemManager asks besides what the `at` driver does; where nothing is said the answer is ERROR, which it takes. */
const asked: AtKnobs['answers'] = {
  ATV1: 'OK',
  ATX4: 'OK',
  'AT&C1': 'OK',
  ATH: 'OK',
  ATZ: 'OK',
  'ATD*99***1#': 'CONNECT 150000000',
  'AT+GCAP': '+GCAP: +CGSM',
  'AT+WS46=?': '+WS46: (12,22,25,28,29)',
  'AT+CGMM': 'SIMCOM_SIM7600E-H',
  'AT+CGMR': '+CGMR: LE20B04SIM7600M22',
  'AT+CGSN': '123456789012347',
  'AT+CIMI': '001010123456789',
  'AT+CLCK=?': '+CLCK: ("SC","FD","PN")',
  'AT+CMGF=?': '+CMGF: (0,1)',
  'AT+CMGF=0': 'OK',
  'AT+CGDCONT=?': '+CGDCONT: (1-24),"IP",,,(0-2),(0-4)\r\n+CGDCONT: (1-24),"IPV4V6",,,(0-2),(0-4)',
  'AT+CGDCONT?': '+CGDCONT: 1,"IP","internet","0.0.0.0",0,0,0,0',
  'AT+COPS=3,2;+COPS?': '+COPS: 0,2,"00101",7',
  'AT+COPS=3,0;+COPS?': '+COPS: 0,0,"TestNet",7',
  'AT+CSCS=?': '+CSCS: ("IRA","GSM","UCS2")',
  'AT+CSCS?': '+CSCS: "UCS2"',
  'AT+CGACT?': '+CGACT: 1,0',
  ...Object.fromEntries(
    ['CEREG=0', 'CEREG=2', 'CREG=0', 'CREG=2', 'CGREG=0', 'CGREG=2', 'CSCS="UCS2"', 'CSCS="GSM"', 'CSCS="IRA"'].map((set) => [
      `AT+${set}`,
      'OK',
    ]),
  ),
}

/** The real ModemManager on a bus of its own, with one simulated modem. While it runs, `mmcli` of this process speaks to it. */
export class ModemManagerWorld {
  readonly modem: AtModem
  readonly #folder: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #children: ChildProcess[] = []

  /** @param plugin what ModemManager takes the modem for: `telit` can switch its radio off, `cinterion` reset it, `generic` neither */
  static async start(plugin: 'telit' | 'cinterion' | 'generic'): Promise<ModemManagerWorld> {
    const world = new ModemManagerWorld(await mkdtemp(join(tmpdir(), 'mp-mm-')))
    await world.#start(plugin)
    return world
  }

  private constructor(folder: string) {
    this.#folder = folder
    this.modem = new AtModem({ vendor: 'SIMCom', answers: asked })
    this.#server = createServer((socket) => this.#serve(socket))
  }

  async stop(): Promise<void> {
    delete process.env.DBUS_SYSTEM_BUS_ADDRESS
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill()
      await once(child, 'exit')
    }
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #start(plugin: string): Promise<void> {
    const path = join(this.#folder, 'at.sock')
    this.#server.listen(path)
    await once(this.#server, 'listening')
    const bus = `unix:path=${join(this.#folder, 'bus')}`
    const daemon = spawn('dbus-daemon', ['--session', '--nofork', `--address=${bus}`, '--print-address=1'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    this.#children.push(daemon)
    await once(daemon.stdout, 'data')
    process.env.DBUS_SYSTEM_BUS_ADDRESS = bus
    const options = ['--test-session', '--test-enable', '--test-no-udev', '--test-no-suspend-resume', '--no-auto-scan']
    const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: bus }
    this.#children.push(spawn(DAEMON, options, { stdio: 'ignore', env }))
    const profile = ['org.freedesktop.ModemManager1.Test.SetProfile', 'string:t', `string:${plugin}`, `array:string:${path}`]
    const send = ['--print-reply', '--dest=org.freedesktop.ModemManager1', '/org/freedesktop/ModemManager1', ...profile]
    await eventually(() => works('dbus-send', [`--bus=${bus}`, ...send]), 'ModemManager takes the modem')
    await eventually(async () => (await stdoutOf('mmcli', ['-m', 'any', '-J'])).includes('"state":"disabled"'), 'it knows the modem')
  }

  #serve(socket: Socket): void {
    let rest = ''
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const commands = `${rest}${chunk.toString('latin1')}`.split('\r')
      rest = commands.pop() ?? ''
      for (const command of commands.map((text) => text.trim()).filter((text) => text !== '')) {
        socket.write(this.modem.reply(command) ?? '')
      }
    })
  }
}

const stdoutOf = (program: string, args: readonly string[]): Promise<string> =>
  run(program, args).then(
    ({ stdout }) => stdout,
    () => '',
  )

const works = (program: string, args: readonly string[]): Promise<boolean> =>
  run(program, args).then(
    () => true,
    () => false,
  )
