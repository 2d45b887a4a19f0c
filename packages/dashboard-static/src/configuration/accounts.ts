import type { ApiKeyJson, UserJson } from '@mobilepool/sdk/contract'
import { readCount, readFields, readOneOf, readText, readTime } from '../fleet/fields.ts'
import { known, readList } from '../fleet/lists.ts'

/** Somebody who can log in. Times in ms since the epoch. */
export interface User {
  readonly id: string
  readonly name: string
  readonly role: UserJson['role']
  readonly isActive: boolean
  /** Requests of the quota period. */
  readonly used: number
  /** Null: any number. */
  readonly limit: number | null
  readonly lastLoginAt: number | null
}

/** A key that was made; never the key itself. */
export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly scope: ApiKeyJson['scope']
  /** Its first characters. */
  readonly prefix: string
  readonly userId: string | null
  readonly expiresAt: number | null
  readonly isRevoked: boolean
  readonly lastUsedAt: number | null
  readonly used: number
  readonly limit: number | null
}

// Written out because the page takes only types from the contract; the types make each list complete.
const roles = { admin: 1, user: 1 } satisfies Record<User['role'], 1>
const scopes = { admin: 1, proxy: 1, read: 1, device: 1 } satisfies Record<ApiKey['scope'], 1>

/** Reads `GET /api/v1/users`. */
export function readUsers(json: unknown): readonly User[] | null {
  const fields = readFields(json)
  return fields === null ? null : readList(fields.users).map(readUser).filter(known)
}

function readUser(json: unknown): User | null {
  const user: { readonly [Field in keyof UserJson]?: unknown } | null = readFields(json)
  const id = readText(user?.id)
  const name = readText(user?.username)
  const role = readOneOf(user?.role, roles)
  if (user === null || id === null || name === null || role === null) return null
  return {
    id,
    name,
    role,
    isActive: user.is_active === true,
    used: readCount(user.requests_used) ?? 0,
    limit: readCount(user.requests_limit),
    lastLoginAt: readTime(user.last_login_at),
  }
}

/** Reads `GET /api/v1/keys`: those that are good first. */
export function readKeys(json: unknown): readonly ApiKey[] | null {
  const fields = readFields(json)
  if (fields === null) return null
  const keys = readList(fields.keys).map(readKey).filter(known)
  return [...keys.filter(({ isRevoked }) => !isRevoked), ...keys.filter(({ isRevoked }) => isRevoked)]
}

function readKey(json: unknown): ApiKey | null {
  const key: { readonly [Field in keyof ApiKeyJson]?: unknown } | null = readFields(json)
  const id = readText(key?.id)
  const scope = readOneOf(key?.scope, scopes)
  if (key === null || id === null || scope === null) return null
  return {
    id,
    name: readText(key.name) ?? id,
    scope,
    prefix: readText(key.prefix) ?? '',
    userId: readText(key.user_id),
    expiresAt: readTime(key.expires_at),
    isRevoked: readTime(key.revoked_at) !== null,
    lastUsedAt: readTime(key.last_used_at),
    used: readCount(key.requests_used) ?? 0,
    limit: readCount(key.requests_limit),
  }
}

/** A quota as it was typed; empty: none. What is no number goes to the hub as it is, which says what would be right. */
export const typedLimit = (text: string): number | string | null =>
  text.trim() === '' ? null : Number.isNaN(Number(text)) ? text : Number(text)
