import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Refusal } from '../../errors.ts'
import type { RotationLinkRecord, Store } from '../../store/index.ts'
import type { Device } from '../device.ts'

/** Links that are not revoked, per device. */
const MAX_LINKS = 20
const ID_BYTES = 16
/** 192 bits cannot be guessed, and keep the link short. */
const SIGNATURE_BYTES = 24

export interface LinkParts {
  store: Pick<Store, 'rotationLinks'>
  /** Signs links; derived from SECRET_KEY. */
  key: Uint8Array
  now: () => number
  newId: () => string
}

/**
 * Plain URLs that rotate one device each, for programs and people without a key. What stands in the URL is the link's id and its
 * signature: one that was not made here is refused without a look into the database, and one that was revoked stays so.
 */
export class RotationLinks {
  readonly #parts: LinkParts

  constructor(parts: LinkParts) {
    this.#parts = parts
  }

  /** A new link; its secret part is told this once. @throws HubError `database_down` */
  async create(device: Device, name: string): Promise<{ link: RotationLinkRecord; secret: string } | Refusal> {
    const { store, now, newId } = this.#parts
    const present = await store.rotationLinks.ofDevice(device.id)
    if (present.length >= MAX_LINKS)
      return {
        code: 'bad_request',
        detail: `${device.name} has ${MAX_LINKS} rotation links, which is the limit: revoke one that nobody needs.`,
      }
    const link = { id: newId(), deviceId: device.id, name, createdAt: now(), revokedAt: null, lastUsedAt: null, usedCount: 0 }
    await store.rotationLinks.create(link)
    return { link, secret: this.#write(link.id) }
  }

  /** The link of a secret; null when it is not ours, or revoked. @throws HubError `database_down` */
  async find(secret: string): Promise<RotationLinkRecord | null> {
    const id = this.#read(secret)
    const link = id === null ? null : await this.#parts.store.rotationLinks.byId(id)
    return link && link.revokedAt === null ? link : null
  }

  #write(id: string): string {
    const bytes = Buffer.from(id.replaceAll('-', ''), 'hex')
    return Buffer.concat([bytes, this.#sign(bytes)]).toString('base64url')
  }

  #read(secret: string): string | null {
    const bytes = Buffer.from(secret, 'base64url')
    // Base64 has spare bits at its end: one link, one spelling.
    if (bytes.length !== ID_BYTES + SIGNATURE_BYTES || bytes.toString('base64url') !== secret) return null
    const id = bytes.subarray(0, ID_BYTES)
    if (!timingSafeEqual(this.#sign(id), bytes.subarray(ID_BYTES))) return null
    return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }

  #sign(id: Buffer): Buffer {
    return createHmac('sha256', this.#parts.key).update(id).digest().subarray(0, SIGNATURE_BYTES)
  }
}
