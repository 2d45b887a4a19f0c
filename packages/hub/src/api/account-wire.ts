import type { ApiKeyJson, LoginReplyJson, UserJson } from '@mobilepool/sdk/contract'
import type { LoggedIn } from '../auth/logins.ts'
import { countedNow, type QuotaPeriod, resetAt } from '../auth/quota.ts'
import type { KeyRecord, UserRecord } from '../store/index.ts'
import { stamp, stampOrNull } from './stamp.ts'

/** How a quota is counted, seen from now. */
export interface QuotaView {
  period: QuotaPeriod
  now: number
}

export const userJson = (user: UserRecord, quota: QuotaView): UserJson => ({
  id: user.id,
  username: user.username,
  email: user.email,
  role: user.role,
  is_active: user.isActive,
  requests_limit: user.requestsLimit,
  requests_used: countedNow(user, quota.period, quota.now),
  requests_reset_at: stampOrNull(resetAt(quota.period, quota.now)),
  last_login_at: stampOrNull(user.lastLoginAt),
  created_at: stamp(user.createdAt),
  updated_at: stamp(user.updatedAt),
})

export const keyJson = (key: KeyRecord, quota: QuotaView): ApiKeyJson => ({
  id: key.id,
  name: key.name,
  scope: key.scope,
  prefix: key.prefix,
  device_id: key.deviceId,
  user_id: key.userId,
  created_at: stamp(key.createdAt),
  expires_at: stampOrNull(key.expiresAt),
  revoked_at: stampOrNull(key.revokedAt),
  last_used_at: stampOrNull(key.lastUsedAt),
  rate_limit: key.rateLimit,
  requests_limit: key.requestsLimit,
  requests_used: countedNow(key, quota.period, quota.now),
})

export const loginJson = ({ user, accessToken, expiresAt }: LoggedIn, quota: QuotaView): LoginReplyJson => ({
  access_token: accessToken,
  token_type: 'Bearer',
  expires_in: Math.max(1, Math.round((expiresAt - quota.now) / 1000)),
  expires_at: stamp(expiresAt),
  user: userJson(user, quota),
})
