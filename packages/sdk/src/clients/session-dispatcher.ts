import type { DeviceRef } from '../events.ts'
import type { Carrier } from './carrier.ts'
import type { Scope } from './scope.ts'
import { ViewDispatcher } from './view-dispatcher.ts'

/** A session as a dispatcher: `pool.session()`. */
export class SessionDispatcher extends ViewDispatcher {
  readonly key: string

  constructor(carrier: Carrier, scope: Scope, key: string) {
    super(carrier, scope)
    this.key = key
  }

  get device(): DeviceRef | null {
    const device = this.#session?.device ?? null
    return device === null ? null : { deviceId: device.id, device: device.facts.name }
  }

  get exitIp(): string | null {
    return this.#session?.device?.exitIp ?? null
  }

  renew(): void {
    const session = this.#session
    if (session === undefined) return
    this.carrier.onSessionOver(session)
    session.renew()
  }

  end(): void {
    const session = this.#session
    if (session !== undefined) this.carrier.onSessionOver(session)
    this.carrier.sessions.end(this.key)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end()
  }

  get #session() {
    return this.carrier.sessions.find(this.key, this.carrier.clock.now())
  }
}
