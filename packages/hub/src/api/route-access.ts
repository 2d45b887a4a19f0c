import type { KeyScope } from '@mobilepool/sdk/contract'

/** Who may use a route; `user`: somebody who is logged in, whatever the role. */
type Role = KeyScope | 'user'

/** What a route's guard asks for. */
export interface RouteAccess {
  roles: readonly Role[]
  /** Without a credential it answers, too. */
  isOptional: boolean
}

const accesses = new WeakMap<object, RouteAccess>()

/** Notes at a guard whom it lets pass, for the description of the API: one place says it, and it cannot differ. */
export function withAccess<Guard extends object>(guard: Guard, access: RouteAccess): Guard {
  accesses.set(guard, access)
  return guard
}

/** `security` of an operation in OpenAPI 3.1, by the guard among its `onRequest` hooks; no guard: it is public. */
export function securityOf(onRequest: unknown): Record<string, readonly string[]>[] {
  const hooks: unknown[] = Array.isArray(onRequest) ? onRequest : [onRequest]
  const access = hooks.map((hook) => (typeof hook === 'function' ? accesses.get(hook) : undefined)).find((found) => found !== undefined)
  if (!access) return []
  const withKey = [{ bearer: access.roles }, { apiKey: access.roles.filter((role) => role !== 'user') }]
  return access.isOptional ? [{}, ...withKey] : withKey
}
