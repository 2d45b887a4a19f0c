/** What is wrong with a simulated modem. */
export interface AtKnobs {
  vendor: 'SIMCom' | 'Quectel' | 'generic'
  /** Repeats each command before it answers, as modems do until `ATE0`; `ATE0` is refused. */
  echo: boolean
  /** Lines that it says unasked, before the last line of every reply. */
  noise: readonly string[]
  /** Answers to commands, instead of its own; null: it never answers. */
  answers: Record<string, string | null>
  /** State of the SIM, or the error that it has instead. */
  sim: string
  /** Looks at its registration that it needs after it was switched on; Infinity: never. */
  looksUntilRegistered: number
  /** The carrier refuses it. */
  isDenied: boolean
}

const identities = {
  SIMCom: 'Manufacturer: SIMCOM INCORPORATED\r\nModel: SIMCOM_SIM7600E-H\r\nIMEI: 123456789012347\r\n+GCAP: +CGSM',
  Quectel: 'Quectel\r\nEC25\r\nRevision: EC25EFAR06A01M4G',
  generic: 'Modem\r\nRevision 1',
}

/** A modem that speaks AT: what it answers to a line, and what state that leaves it in. */
export class AtModem {
  readonly knobs: AtKnobs
  /** Every command that it got. */
  readonly heard: string[] = []
  functionality = 1
  mode = 0
  isAttached = true
  attachments = 1
  resets = 0
  /** Called when it restarts. */
  onReset: () => void = () => {}
  #looksLeft = 0

  constructor(knobs: Partial<AtKnobs> = {}) {
    this.knobs = {
      vendor: 'generic',
      echo: false,
      noise: [],
      answers: {},
      sim: '+CPIN: READY',
      looksUntilRegistered: 0,
      isDenied: false,
      ...knobs,
    }
  }

  /** The whole reply to a command; null when there is none. */
  reply(command: string): string | null {
    this.heard.push(command)
    const { echo, noise, answers } = this.knobs
    const answer = command in answers ? answers[command] : this.#answer(command)
    if (answer === null || answer === undefined) return null
    const isFinal = /^(OK|ERROR|\+CME ERROR.*|CONNECT.*)$/.test(answer)
    const lines = [...(isFinal || answer === '' ? [] : [answer]), ...noise, isFinal ? answer : 'OK']
    return `${echo ? `${command}\r` : ''}${lines.map((line) => `\r\n${line}\r\n`).join('')}`
  }

  #answer(command: string): string {
    const write = /^AT\+(CFUN|CGATT|COPS)=(.+)$/.exec(command)
    if (write) return this.#set(write[1] ?? '', write[2] ?? '')
    if (command === 'AT+CRESET' && this.knobs.vendor === 'SIMCom') return this.#restart()
    if (/^AT\+C(E|G)?REG\?$/.test(command)) return `${command.slice(2, -1)}: 2,${this.#registration(command)},"1A2B","01C0FFEE",7`
    return this.#answers()[command] ?? 'ERROR'
  }

  #answers(): Record<string, string> {
    const { vendor, echo, sim } = this.knobs
    const isOn = this.#isRegistered()
    const own: Record<string, string> =
      vendor === 'SIMCom'
        ? { 'AT+CPSI?': '+CPSI: LTE,Online,460-01,0x7496,251941991,203,EUTRAN-BAND8,3740,3,3,-92,-920,-418,14' }
        : vendor === 'Quectel'
          ? {
              'AT+QENG="servingcell"':
                '+QENG: "servingcell","NOCONN"\r\n+QENG: "LTE","FDD",302,610,844D92A,248,900,2,5,5,D6E7,-100,-8,-61,17,38\r\n+QENG: "NR5G-NSA",302,610,65535,-32768,-,-',
            }
          : {}
    return {
      ...own,
      AT: 'OK',
      ATE0: echo ? 'ERROR' : 'OK',
      'AT+CMEE=1': 'OK',
      ATI: identities[vendor],
      'AT+CGMI': vendor === 'SIMCom' ? 'SIMCOM INCORPORATED' : vendor,
      'AT+CFUN?': `+CFUN: ${this.functionality}`,
      'AT+CPIN?': sim,
      'AT+COPS?': isOn ? `+COPS: ${this.mode},0,"TestNet",7` : `+COPS: ${this.mode}`,
      'AT+CGATT?': `+CGATT: ${isOn && this.isAttached ? 1 : 0}`,
      'AT+CSQ': '+CSQ: 22,99',
      'AT+CESQ': '+CESQ: 99,99,255,255,22,53',
      'AT+CGPADDR=1': `+CGPADDR: 1,"${isOn && this.isAttached ? `10.64.0.${this.attachments}` : '0.0.0.0'}"`,
    }
  }

  #set(what: string, value: string): string {
    if (what === 'CFUN' && value === '1,1') return this.#restart()
    if (what === 'CFUN') this.functionality = Number(value)
    if (what === 'COPS') this.mode = Number(value)
    if (what === 'CGATT') this.isAttached = value === '1'
    const isOn = value === '1' || (what === 'COPS' && value === '0')
    if (isOn) this.#attach()
    return 'OK'
  }

  #attach(): void {
    this.attachments += 1
    this.#looksLeft = this.knobs.looksUntilRegistered
  }

  #restart(): string {
    this.resets += 1
    this.functionality = 1
    this.mode = 0
    this.isAttached = true
    this.#attach()
    queueMicrotask(() => this.onReset())
    return 'OK'
  }

  #isRegistered(): boolean {
    return this.functionality === 1 && this.mode !== 2 && !this.knobs.isDenied && this.#looksLeft === 0
  }

  #registration(command: string): number {
    if (this.functionality !== 1 || this.mode === 2 || !this.isAttached) return 0
    if (this.knobs.isDenied) return 3
    if (this.#looksLeft > 0) {
      if (command === 'AT+CEREG?') this.#looksLeft -= 1
      return 2
    }
    return 1
  }
}
