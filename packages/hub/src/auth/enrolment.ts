import type { enrollRequest } from '@mobilepool/sdk/contract'
import type { z } from 'zod'
import type { Refusal } from '../errors.ts'
import { type DeviceDefaults, newPendingDevice, settingsOf } from '../fleet/device.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { DeviceSettings, EnrolmentStore } from '../store/index.ts'
import type { Attempts } from './attempts.ts'
import { hashOf, keyRecord, newSecret } from './key.ts'
import type { KeyRing } from './key-ring.ts'

export interface EnrolmentParts {
  fleet: Fleet
  keys: KeyRing
  store: EnrolmentStore
  attempts: Attempts
  now: () => number
  newId: () => string
  newDevice: DeviceDefaults
}

/** An agent that was let in. */
export interface Enrolled {
  deviceId: string
  name: string
  /** Shown this once. */
  deviceKey: string
}

/** How long an agent whose reply was lost may ask again with the same token. Agents ask every 30 s at the latest. */
const ASK_AGAIN_MS = 600_000

/** An enrolment whose reply may not have arrived. */
interface Answered {
  deviceId: string
  name: string
  keyId: string
  at: number
}

/** Lets agents in: an admin makes a token, the agent trades it for its device's key. */
export class Enrolment {
  readonly #parts: EnrolmentParts
  /** By the hash of the token; each is forgotten after `ASK_AGAIN_MS`. */
  readonly #answered = new Map<string, Answered>()

  constructor(parts: EnrolmentParts) {
    this.#parts = parts
  }

  /** A token that enrols one device, once. @throws HubError `database_down` */
  async createToken(name: string | null, ttlMs: number): Promise<{ token: string; expiresAt: number }> {
    const token = newSecret('mpe_')
    const createdAt = this.#parts.now()
    const expiresAt = createdAt + ttlMs
    await this.#parts.store.addToken({ hash: hashOf(token), name, createdAt, expiresAt })
    return { token, expiresAt }
  }

  /**
   * Trades a token for a device's key. A pending name is adopted and keeps its history; a device that is adopted already is taken over
   * only by a token made for its name (an agent that lost its key), and its former keys end. The token is spent, except for an agent
   * that asks again within minutes because the reply was lost: as long as nobody has used the key, it gets another one in its place.
   * @throws HubError `database_down`
   */
  async enrol(asked: z.output<typeof enrollRequest>, address: string): Promise<Enrolled | Refusal> {
    const { fleet, store, attempts, now } = this.#parts
    const hash = hashOf(asked.token)
    const before = this.#lostReply(hash, asked.name)
    const usedAt = before?.at ?? null
    const token = attempts.isExhausted(address) ? null : await store.usableToken(hash, now(), usedAt)
    if (!token) return attempts.wrong(address, spent)
    if (token.name !== null && token.name !== asked.name) return { code: 'forbidden', detail: `This token enrols ${token.name} only.` }
    const isForTakeover = token.name !== null || before !== null
    return fleet.inTurn(() => this.#admit(asked, { hash, usedAt }, isForTakeover))
  }

  async #admit(
    asked: z.output<typeof enrollRequest>,
    token: { hash: string; usedAt: number | null },
    isForTakeover: boolean,
  ): Promise<Enrolled | Refusal> {
    const { fleet, keys, store, now, newId } = this.#parts
    const at = now()
    const known = fleet.findByName(asked.name)
    const isAdopted = known !== null && known.adoptedAt !== null
    if (isAdopted && !isForTakeover) return taken(asked.name)
    const full = isAdopted ? null : fleet.refuseAdoption()
    if (full) return full

    const before = known ? settingsOf(known) : settingsOf(newPendingDevice(newId(), asked.name, at, this.#parts.newDevice))
    const device: DeviceSettings = {
      ...before,
      kind: 'agent',
      deviceType: asked.device_type,
      adoptedAt: before.adoptedAt ?? at,
      operator: asked.operator ?? before.operator,
      region: asked.region ?? before.region,
      agentVersion: asked.agent_version,
      updatedAt: at,
    }
    const deviceKey = newSecret('mp_')
    const record = keyRecord(deviceKey, {
      id: newId(),
      name: `agent of ${device.name}`,
      scope: 'device',
      deviceId: device.id,
      createdAt: at,
    })
    const key = { ...record, deviceId: device.id }
    const outcome = await store.enrol(token, device, key, at)
    if (outcome === 'token_spent') return spent
    if (outcome === 'name_taken') return taken(device.name)
    keys.replaceDeviceKeys(key)
    fleet.takeOver(device)
    this.#remember(token.hash, { deviceId: device.id, name: device.name, keyId: key.id, at })
    return { deviceId: device.id, name: device.name, deviceKey }
  }

  /** The enrolment by this token whose reply seems not to have arrived: it is asked again for the same device, and its key was never used. */
  #lostReply(tokenHash: string, name: string): Answered | null {
    const { fleet, keys, now } = this.#parts
    const answered = this.#answered.get(tokenHash)
    if (answered === undefined || answered.name !== name || now() - answered.at > ASK_AGAIN_MS) return null
    const isSameDevice = fleet.findByName(name)?.id === answered.deviceId
    return isSameDevice && keys.isUnused(answered.deviceId, answered.keyId) ? answered : null
  }

  #remember(tokenHash: string, answered: Answered): void {
    for (const [hash, { at }] of this.#answered) if (answered.at - at > ASK_AGAIN_MS) this.#answered.delete(hash)
    this.#answered.set(tokenHash, answered)
  }
}

const spent: Refusal = {
  code: 'unauthorized',
  detail: 'This token is unknown, used or expired: make another with POST /api/v1/agents/tokens.',
}
const taken = (name: string): Refusal => ({
  code: 'device_exists',
  detail: `${name} is a device already. To let its agent in again, make a token for that name: POST /api/v1/agents/tokens {"name":"${name}"}.`,
})
