import { z } from 'zod'
import type { DriverParts } from '../create-driver.ts'
import type { HilinkSession } from './session.ts'

const FILE = 'hilink-network-mode.json'
const PATH = '/api/net/net-mode'
const ONLY_3G = '02'
const ONLY_LTE = '03'

const schema = z.object({ NetworkMode: z.string(), NetworkBand: z.string(), LTEBand: z.string() }).nullable()

/** Sends the stick to another kind of network for a while; where it came from is on the disk before it leaves. */
export class NetworkMode {
  readonly #session: HilinkSession
  readonly #stateDir: DriverParts['stateDir']

  constructor(session: HilinkSession, stateDir: DriverParts['stateDir']) {
    this.#session = session
    this.#stateDir = stateDir
  }

  /** To 3G, or to LTE from there. Data must be off. */
  async leave(signal: AbortSignal): Promise<void> {
    const before = (await this.#left()) ?? schema.parse(await this.#session.get(PATH, signal))
    if (!before) return
    await this.#stateDir.write(FILE, before)
    const elsewhere = before.NetworkMode === ONLY_3G ? ONLY_LTE : ONLY_3G
    await this.#session.post(PATH, { ...before, NetworkMode: elsewhere }, signal)
  }

  async isAway(): Promise<boolean> {
    return (await this.#left()) !== null
  }

  /** Back to where it came from. Data must be off. */
  async restore(signal: AbortSignal): Promise<void> {
    const before = await this.#left()
    if (!before) return
    await this.#session.post(PATH, before, signal)
    await this.#stateDir.write(FILE, null)
  }

  #left(): Promise<z.output<typeof schema>> {
    return this.#stateDir.read(FILE, schema)
  }
}
