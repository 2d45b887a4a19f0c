import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const VERSION = 'v1'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Encrypts small secrets for the database (AES-256-GCM) and opens them again. */
export interface Seal {
  /** `context` (a device's id) must be the same when it is opened, so that a value cannot be moved to another row. */
  close(plain: string, context: string): string
  /** @throws Error when the key or the context is another, or the text was changed. */
  open(sealed: string, context: string): string
  /** A key for another purpose, from the same secret: 32 bytes. */
  derive(purpose: string): Uint8Array
}

/** A seal whose key is derived from the operator's secret. */
export function createSeal(secret: string): Seal {
  const derive = (purpose: string): Uint8Array => new Uint8Array(hkdfSync('sha256', secret, '', purpose, 32))
  const key = derive('mobilepool database secrets')
  return {
    close(plain, context) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
      const body = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `${VERSION}.${body.toString('base64url')}`
    },
    open(sealed, context) {
      const [version, text = ''] = sealed.split('.')
      const body = Buffer.from(text, 'base64url')
      if (version !== VERSION || body.length < NONCE_BYTES + TAG_BYTES) throw new Error('not a sealed value')
      const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(context)).setAuthTag(body.subarray(-TAG_BYTES))
      return Buffer.concat([decipher.update(body.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8')
    },
    derive,
  }
}
