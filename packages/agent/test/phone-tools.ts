import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** How this phone is, and what goes wrong with it. */
export interface PhoneKnobs {
  /** Whether this Android's shell may switch airplane mode. */
  hasAirplaneMode: boolean
  /** Takes the command and does nothing. */
  ignoresCommands: boolean
  /** Has not allowed the host. */
  isUnauthorized: boolean
  /** From switching on to a network that is validated. */
  attachMs: number
  /** `gsm.sim.state`. */
  simState: string
  /** Answers no call. */
  isSilent: boolean
  /** How long a reboot takes. */
  rebootMs: number
  /** The address of its cellular interface. */
  address: string
}

const usual: PhoneKnobs = {
  hasAirplaneMode: true,
  ignoresCommands: false,
  isUnauthorized: false,
  attachMs: 50,
  simState: 'LOADED,ABSENT',
  isSilent: false,
  rebootMs: 300,
  address: '10.64.0.49',
}

/** Android's commands as scripts for a real `sh`, which read and write one phone's state. */
export class PhoneTools {
  readonly knobs: PhoneKnobs
  readonly folder: string = mkdtempSync(join(tmpdir(), 'mp-phone-'))

  constructor(knobs: Partial<PhoneKnobs> = {}) {
    this.knobs = { ...usual, ...knobs }
    mkdirSync(join(this.folder, 'bin'))
    mkdirSync(join(this.folder, 'tmp'))
    this.set('airplane', '0')
    this.set('data', '1')
    this.set('on_since', '0')
    for (const [name, lines] of Object.entries(this.#commands())) this.addTool(name, `cd ${this.folder}\n${lines}`)
  }

  /** The folder of its programs. */
  get bin(): string {
    return join(this.folder, 'bin')
  }

  /** What its shell runs with. */
  get env(): { PATH: string; TMPDIR: string } {
    return { PATH: `${this.bin}:/usr/bin:/bin`, TMPDIR: join(this.folder, 'tmp') }
  }

  get isAirplaneMode(): boolean {
    return this.#get('airplane') === '1'
  }

  get isDataOn(): boolean {
    return this.#get('data') === '1'
  }

  set(name: 'airplane' | 'data' | 'on_since', value: string): void {
    writeFileSync(join(this.folder, name), `${value}\n`)
  }

  addTool(name: string, lines: string): void {
    writeFileSync(join(this.bin, name), `#!/bin/sh\n${lines}\n`)
    chmodSync(join(this.bin, name), 0o755)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  #get(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8').trim()
  }

  #commands(): Record<string, string> {
    const { hasAirplaneMode, ignoresCommands, attachMs, simState, address } = this.knobs
    const put = (file: string, value: string): string => (ignoresCommands ? ':' : `echo ${value} > ${file}; date +%s%3N > on_since`)
    const airplane = `case "$3" in
      enable) ${put('airplane', '1')};; disable) ${put('airplane', '0')};;
      "") [ "$(cat airplane)" = 1 ] && echo enabled || echo disabled;; esac`
    return {
      cmd: hasAirplaneMode ? airplane : 'echo "Unknown command: airplane-mode"; exit 255',
      svc: `case "$1 $2" in "data enable") ${put('data', '1')};; "data disable") ${put('data', '0')};; esac`,
      settings: 'case "$3" in airplane_mode_on) cat airplane;; mobile_data) cat data;; esac',
      getprop: `case "$1" in gsm.operator.alpha) echo "TestNet,";; gsm.operator.numeric) echo "25001,";; gsm.sim.state) echo "${simState}";; gsm.network.type) echo "LTE,Unknown";;
        gsm.operator.isroaming) echo "false,false";; esac`,
      dumpsys: `case "$1" in
        battery) printf 'Current Battery Service state:\\n  USB powered: true\\n  level: 83\\n  temperature: 312\\n';;
        telephony.registry) echo "    mSignalStrength=SignalStrength:{mLte=CellSignalStrengthLte: rsrp=-98 level=3 parametersUseForLevel=0,mNr=CellSignalStrengthNr:{ level = 0 }}";;
        connectivity) [ "$(cat airplane)$(cat data)" = 01 ] && [ $(($(date +%s%3N) - $(cat on_since))) -ge ${attachMs} ] &&
          echo "  NetworkAgentInfo [MOBILE (LTE) - 101] CONNECTED/CONNECTED DnsAddresses: [ /10.1.1.1,/10.1.1.2 ] VALIDATED";; esac`,
      ip: `echo "1: lo    inet 127.0.0.1/8 scope host lo\\\\       valid_lft forever"
        echo "9: wlan0    inet 192.168.1.7/24 brd 192.168.1.255 scope global wlan0"
        [ "$(cat airplane)$(cat data)" = 01 ] && echo "5: rmnet_data0    inet ${address}/30 scope global rmnet_data0"; :`,
    }
  }
}
