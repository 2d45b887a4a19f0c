import { AgentError } from '../../errors.ts'
import type { DeviceStatus } from '../driver.ts'
import {
  addressOf,
  extendedSignalOf,
  isRegistered,
  numberOf,
  operatorOf,
  type Registration,
  registrationOf,
  signalOf,
  simOf,
} from './answers.ts'
import type { AtChannel } from './at-channel.ts'
import { refusalError } from './at-reply.ts'
import { type CellReading, type Vendor, vendorOf } from './vendor.ts'

// Longest times of the commands (reference: device-control.md 1.2.2); those that wait for a network are bounded by a rotation's patience.
const RADIO_MS = 15_000
const NETWORK_MS = 60_000
/** `AT+CFUN?` of a modem that is fully on. */
const FULL = 1
/** Mode of `AT+COPS?` when the network was left by `AT+COPS=2`. */
const DEREGISTERED = 2

/** What a modem can be asked and told, in 27.007 and its maker's words. Every call throws `AgentError`. */
export class Modem {
  readonly #channel: AtChannel
  readonly #contextId: number
  #vendor: Vendor | null = null

  constructor(channel: AtChannel, contextId: number) {
    this.#channel = channel
    this.#contextId = contextId
  }

  async status(signal: AbortSignal): Promise<DeviceStatus> {
    const level = await this.#functionality(signal)
    const sim = await this.#sim(signal)
    const { mode, ...network } = operatorOf(await this.#ask('AT+COPS?', signal))
    const isOff = level !== FULL || mode === DEREGISTERED
    const registration = isOff ? 0 : await this.registration(signal)
    const measured = isOff ? null : (signalOf(await this.#ask('AT+CSQ', signal)) ?? extendedSignalOf(await this.#ask('AT+CESQ', signal)))
    const cell = isOff ? {} : await this.#cell(signal)
    const innerIp = isOff ? null : await this.address(signal)
    return {
      sim,
      // Detached and not even searching: somebody detached it. A modem without coverage searches.
      isDown: isOff || (registration < 2 && !(await this.#isAttached(signal))),
      telemetry: {
        ...network,
        ...(measured === null ? {} : { signal: measured }),
        ...cell,
        ...(innerIp === null ? {} : { innerIp }),
        ...(isRegistered(registration) ? { roaming: registration === 5 } : {}),
      },
    }
  }

  /** The best of its registrations: LTE, packet data, circuit-switched. */
  async registration(signal: AbortSignal): Promise<Registration> {
    let best: Registration = 0
    for (const command of ['AT+CEREG?', 'AT+CGREG?', 'AT+CREG?']) {
      const registration = registrationOf(await this.#ask(command, signal))
      if (registration !== null && isRegistered(registration)) return registration
      best = registration === null || registration < best ? best : registration
    }
    return best
  }

  /** The carrier's address of the data session; null while there is none. */
  async address(signal: AbortSignal): Promise<string | null> {
    return addressOf(await this.#ask(`AT+CGPADDR=${this.#contextId}`, signal))
  }

  /** Airplane mode. */
  async radioOff(signal: AbortSignal): Promise<void> {
    await this.#must('AT+CFUN=4', signal, RADIO_MS)
    const level = await this.#functionality(signal)
    if (level === FULL) throw new AgentError('unsupported', 'The modem says OK to AT+CFUN=4 and stays on.')
  }

  /** Leaves packet data; most LTE modules lose their registration by it. */
  async detach(signal: AbortSignal): Promise<void> {
    await this.#must('AT+CGATT=0', signal, NETWORK_MS)
  }

  /** Leaves the network. */
  async deregister(signal: AbortSignal): Promise<void> {
    await this.#must('AT+COPS=2', signal, NETWORK_MS)
  }

  /** Restarts it. The answer may be lost: the port goes away by it. */
  async reset(signal: AbortSignal): Promise<void> {
    const { reset } = await this.#identify(signal)
    await this.#must(reset, signal, RADIO_MS).catch((error: unknown) => {
      if (signal.aborted || !(error instanceof AgentError) || error.code !== 'device_unreachable') throw error
    })
  }

  /** Whether it answers at all. */
  async answers(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#functionality(signal)
      return true
    } catch (error) {
      if (signal.aborted || !(error instanceof AgentError) || error.code !== 'device_unreachable') throw error
      return false
    }
  }

  /** Undoes whatever of `radioOff`, `deregister` and `detach` was done; what is on stays as it is. */
  async switchOn(signal: AbortSignal): Promise<void> {
    const level = await this.#functionality(signal)
    if (level !== FULL) await this.#must('AT+CFUN=1', signal, RADIO_MS)
    const { mode } = operatorOf(await this.#ask('AT+COPS?', signal))
    if (mode === DEREGISTERED) await this.#must('AT+COPS=0', signal, NETWORK_MS)
    // Both attach by themselves; an order to attach before they have found a network would be refused.
    if (level !== FULL || mode === DEREGISTERED) return
    const registration = await this.registration(signal)
    if (registration < 2 && !(await this.#isAttached(signal))) await this.#must('AT+CGATT=1', signal, NETWORK_MS)
  }

  /** Sends the command that connects data, where the modem needs one. */
  async dial(command: string, signal: AbortSignal): Promise<void> {
    await this.#must(command, signal, NETWORK_MS)
  }

  async #functionality(signal: AbortSignal): Promise<number | null> {
    return numberOf(await this.#must('AT+CFUN?', signal))
  }

  async #isAttached(signal: AbortSignal): Promise<boolean> {
    return numberOf(await this.#ask('AT+CGATT?', signal)) !== 0
  }

  async #sim(signal: AbortSignal): Promise<DeviceStatus['sim']> {
    const reply = await this.#channel.command('AT+CPIN?', signal)
    if (reply.ok) return simOf(reply.lines)
    const { code } = refusalError('AT+CPIN?', reply.refusal)
    if (code === 'sim_missing') return 'missing'
    return code === 'sim_locked' ? 'locked' : 'unknown'
  }

  async #cell(signal: AbortSignal): Promise<CellReading> {
    const { cell } = await this.#identify(signal)
    return cell ? cell.read(await this.#ask(cell.command, signal)) : {}
  }

  async #identify(signal: AbortSignal): Promise<Vendor> {
    this.#vendor ??= vendorOf([...(await this.#ask('ATI', signal)), ...(await this.#ask('AT+CGMI', signal))])
    return this.#vendor
  }

  /** The lines of a reply; none when the modem does not know the question. */
  async #ask(command: string, signal: AbortSignal): Promise<readonly string[]> {
    const reply = await this.#channel.command(command, signal)
    return reply.ok ? reply.lines : []
  }

  async #must(command: string, signal: AbortSignal, timeoutMs?: number): Promise<readonly string[]> {
    const reply = await this.#channel.command(command, signal, timeoutMs)
    if (reply.ok) return reply.lines
    throw refusalError(command, reply.refusal)
  }
}
