import { createHash } from 'node:crypto'

const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex')
const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** The password as the stick wants it: hashed with the token for its `password_type` 4, else in base64. */
export function loginPassword(username: string, password: string, passwordType: string, token: string): string {
  if (passwordType !== '4') return base64(password)
  return base64(sha256Hex(username + base64(sha256Hex(password)) + token))
}
