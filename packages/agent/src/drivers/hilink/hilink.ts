import { AgentError } from '../../errors.ts'
import type { DriverParts } from '../create-driver.ts'
import { DeviceHttp } from '../device-http.ts'
import type { DeviceDriver, DeviceStatus } from '../driver.ts'
import { parseDriverOptions } from '../driver-options.ts'
import { MobileInterface } from '../mobile-interface.ts'
import { stickGateway } from '../stick-options.ts'
import { type WebStick, WebStickDriver } from '../web-stick.ts'
import { NetworkMode } from './network-mode.ts'
import { hilinkOptions } from './options.ts'
import { HilinkSession } from './session.ts'
import { connection, statusOf } from './status.ts'
import type { Fields } from './xml.ts'

const DATA_PATH = '/api/dialup/mobile-dataswitch'
const STATUS_PATH = '/api/monitoring/status'

/** Opens a Huawei stick in HiLink mode. Options: `options.ts`. Throws `bad_config`. */
export async function openHilinkDriver(options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> {
  const checked = parseDriverOptions(hilinkOptions, options)
  const { origin, hostname } = new URL(checked.url)
  const link = new MobileInterface({ gateway: stickGateway(hostname), ...checked })
  const http = new DeviceHttp({
    origin,
    timeoutMs: checked.timeoutMs,
    localAddress: () => link.address(),
  })
  const session = new HilinkSession(http, parts.clock, checked)
  return new WebStickDriver(new HilinkStick(session, parts.stateDir), { link, holdsMs: checked.holdsMs }, parts)
}

class HilinkStick implements WebStick {
  readonly networkReset: NetworkMode
  readonly #session: HilinkSession

  constructor(session: HilinkSession, stateDir: DriverParts['stateDir']) {
    this.#session = session
    this.networkReset = new NetworkMode(session, stateDir)
  }

  async status(signal: AbortSignal): Promise<DeviceStatus> {
    return statusOf({
      monitoring: await this.#session.get(STATUS_PATH, signal),
      network: await this.#tryToGet('/api/net/current-plmn', signal),
      pin: await this.#tryToGet('/api/pin/status', signal),
      data: await this.#tryToGet(DATA_PATH, signal),
    })
  }

  async session(signal: AbortSignal): Promise<'connected' | 'disconnected' | 'between'> {
    const { ConnectionStatus } = await this.#session.get(STATUS_PATH, signal)
    if (ConnectionStatus === connection.connected) return 'connected'
    return ConnectionStatus === connection.disconnected ? 'disconnected' : 'between'
  }

  switchData(isOn: boolean, signal: AbortSignal): Promise<void> {
    return this.#session.post(DATA_PATH, { dataswitch: isOn ? '1' : '0' }, signal)
  }

  reboot(signal: AbortSignal): Promise<void> {
    return this.#session.post('/api/device/control', { Control: '1' }, signal)
  }

  /** For what some firmware does not have, or shows to nobody without a login. */
  async #tryToGet(path: string, signal: AbortSignal): Promise<Fields> {
    try {
      return await this.#session.get(path, signal)
    } catch (error) {
      if (error instanceof AgentError && (error.code === 'unsupported' || error.code === 'auth_failed')) return {}
      throw error
    }
  }
}
