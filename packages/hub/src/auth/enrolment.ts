import type { enrollRequest } from '@mobilepool/sdk/contract'
import type { z } from 'zod'
import type { Refusal } from '../errors.ts'
import { newPendingDevice, settingsOf } from '../fleet/device.ts'
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
  /** For new devices, seconds. */
  defaultRotationInterval: number
}

/** An agent that was let in. */
export interface Enrolled {
  deviceId: string
  name: string
  /** Shown this once. */
  deviceKey: string
}

/** Lets agents in: an admin makes a token, the agent trades it for its device's key. */
export class Enrolment {
  readonly #parts: EnrolmentParts

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
   * only by a token made for its name (an agent that lost its key), and its former keys end. @throws HubError `database_down`
   */
  async enrol(asked: z.output<typeof enrollRequest>, address: string): Promise<Enrolled | Refusal> {
    const { fleet, keys, store, attempts, now, newId } = this.#parts
    const at = now()
    const tokenHash = hashOf(asked.token)
    const token = attempts.isExhausted(address) ? null : await store.usableToken(tokenHash, at)
    if (!token) return attempts.wrong(address, spent)
    if (token.name !== null && token.name !== asked.name) return { code: 'forbidden', detail: `This token enrols ${token.name} only.` }
    const known = fleet.findByName(asked.name)
    const isAdopted = known !== null && known.adoptedAt !== null
    if (isAdopted && token.name === null) return taken(asked.name)
    const full = isAdopted ? null : fleet.refuseAdoption()
    if (full) return full

    const before = known ? settingsOf(known) : newSettings(newId(), asked.name, at, this.#parts.defaultRotationInterval)
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
    const key = keyRecord(deviceKey, { id: newId(), name: `agent of ${device.name}`, scope: 'device', deviceId: device.id, createdAt: at })
    const outcome = await store.enrol(tokenHash, device, key, at)
    if (outcome === 'token_spent') return spent
    if (outcome === 'name_taken') return taken(device.name)
    keys.replaceDeviceKeys(key)
    fleet.takeOver(device)
    return { deviceId: device.id, name: device.name, deviceKey }
  }
}

const newSettings = (id: string, name: string, now: number, rotationInterval: number): DeviceSettings =>
  settingsOf(newPendingDevice(id, name, now, rotationInterval))

const spent: Refusal = {
  code: 'unauthorized',
  detail: 'This token is unknown, used or expired: make another with POST /api/v1/agents/tokens.',
}
const taken = (name: string): Refusal => ({
  code: 'device_exists',
  detail: `${name} is a device already. To let its agent in again, make a token for that name: POST /api/v1/agents/tokens {"name":"${name}"}.`,
})
