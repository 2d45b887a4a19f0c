import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AtModem } from './at-modem.ts'

/** Whether this machine can make serial ports of its own: they are ptys of socat. */
export const hasSerialPorts = spawnSync('socat', ['-V']).status === 0

/** A simulated modem on a serial port: a real pty, which goes away and comes back when the modem does. */
export class AtLine {
  readonly modem: AtModem
  readonly path: string
  readonly #folder: string
  #socat: ReturnType<typeof spawn> | null = null

  static async open(modem: AtModem): Promise<AtLine> {
    const line = new AtLine(modem, await mkdtemp(join(tmpdir(), 'mp-at-')))
    await line.plugIn()
    return line
  }

  private constructor(modem: AtModem, folder: string) {
    this.modem = modem
    this.#folder = folder
    this.path = join(folder, 'ttyMODEM')
  }

  /** The modem appears on its bus. */
  async plugIn(): Promise<void> {
    const socat = spawn('socat', ['-d', '-d', `pty,raw,echo=0,link=${this.path}`, 'stdio'], { stdio: 'pipe' })
    this.#socat = socat
    let rest = ''
    socat.stdout.on('data', (chunk: Buffer) => {
      const commands = `${rest}${chunk.toString('latin1')}`.split('\r')
      rest = commands.pop() ?? ''
      for (const command of commands) {
        const reply = this.modem.reply(command)
        if (reply !== null) this.say(reply)
      }
    })
    socat.stdin.on('error', () => {})
    await new Promise<void>((resolve, reject) => {
      let said = ''
      socat.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        if (said.includes('starting data transfer')) resolve()
      })
      socat.once('exit', () => reject(new Error(`socat ended: ${said}`)))
    })
  }

  /** The modem says something unasked. */
  say(text: string): void {
    this.#socat?.stdin?.write(text)
  }

  /** The modem vanishes from its bus. */
  async unplug(): Promise<void> {
    const socat = this.#socat
    this.#socat = null
    if (!socat || socat.exitCode !== null) return
    socat.kill()
    await once(socat, 'exit')
  }

  async close(): Promise<void> {
    await this.unplug()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
