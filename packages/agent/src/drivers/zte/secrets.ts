import { createHash } from 'node:crypto'

const hex = (algorithm: 'md5' | 'sha256', text: string): string => createHash(algorithm).update(text).digest('hex')

/** The password for a login: hashed with the stick's one-time `LD`; older firmware has none and takes base64. */
export function loginPassword(password: string, ld: string): string {
  if (ld === '') return Buffer.from(password).toString('base64')
  const upper = (text: string): string => hex('sha256', text).toUpperCase()
  return upper(upper(password) + ld)
}

/** How firmware wants writes to be signed; the newest takes SHA-256 where others take MD5. */
export type Signature = 'none' | 'md5' | 'sha256'

/** The `AD` of one write, from the firmware's versions and the one-time `RD`. */
export const writeToken = (algorithm: 'md5' | 'sha256', versions: string, rd: string): string =>
  hex(algorithm, hex(algorithm, versions) + rd)
