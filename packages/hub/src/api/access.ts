import type { KeyScope } from '@mobilepool/sdk/contract'
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import type { Caller } from '../auth/caller.ts'
import { HubError, refused } from '../errors.ts'
import type { Device } from '../fleet/device.ts'
import type { UserRecord } from '../store/index.ts'
import { addressOf } from './client-address.ts'
import type { ApiContext } from './context.ts'
import { limitAddress, limitCaller } from './limits.ts'
import { withAccess } from './route-access.ts'

const HOW = 'send it as "Authorization: Bearer mp_..." or "X-API-Key: mp_..."'

/** Who asks, per request: filled by `needs`, `mayBring` and `needsUser`. */
const callers = new WeakMap<FastifyRequest, Caller>()

/** Whether a request brings a key or an access token at all, and which. */
export function secretOf(request: FastifyRequest): string | null {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? []
  const header = request.headers['x-api-key']
  return bearer ?? (typeof header === 'string' && header !== '' ? header : null)
}

/** Lets only keys and users of these scopes pass. Before the body is read. */
export function needs(context: ApiContext, ...scopes: KeyScope[]): onRequestAsyncHookHandler {
  const guard: onRequestAsyncHookHandler = async (request, reply) => {
    const secret = secretOf(request)
    if (secret === null) throw new HubError('unauthorized', `This needs a key: ${HOW}.`)
    const caller = await identify(context, secret, request)
    admit(request, caller, scopes)
    limitCaller(context, reply, caller)
  }
  return withAccess(guard, { roles: scopes, isOptional: false })
}

/** Lets requests without a key pass where `isPublic`; a key that is brought must be good. */
export function mayBring(context: ApiContext, isPublic: boolean, ...scopes: KeyScope[]): onRequestAsyncHookHandler {
  const guard: onRequestAsyncHookHandler = async (request, reply) => {
    const secret = secretOf(request)
    if (secret !== null) {
      const caller = await identify(context, secret, request)
      admit(request, caller, scopes)
      limitCaller(context, reply, caller)
    } else if (isPublic) limitAddress(context, request, reply)
    else throw new HubError('unauthorized', `This hub shows its status to keys only: ${HOW}, or start the hub with PUBLIC_STATUS=true.`)
  }
  return withAccess(guard, { roles: scopes, isOptional: isPublic })
}

/** Lets only users who are logged in pass, and admins' keys: a user's key must not make itself another. */
export function needsUser(context: ApiContext): onRequestAsyncHookHandler {
  const guard: onRequestAsyncHookHandler = async (request, reply) => {
    const secret = secretOf(request)
    const how = 'log in with POST /api/v1/auth/login and send its access_token as "Authorization: Bearer ..."'
    if (secret === null) throw new HubError('unauthorized', `This needs a user: ${how}.`)
    const caller = await identify(context, secret, request)
    callers.set(request, caller)
    if (caller.sessionId === null && caller.scope !== 'admin') throw new HubError('forbidden', `This takes no key but an admin's: ${how}.`)
    limitCaller(context, reply, caller)
  }
  return withAccess(guard, { roles: ['user', 'admin'], isOptional: false })
}

/** Who asks; null where no key was brought. */
export const callerOf = (request: FastifyRequest): Caller | null => callers.get(request) ?? null

/** Who asks, behind `needs` or `needsUser`. */
export function certainCaller(request: FastifyRequest): Caller {
  const caller = callers.get(request)
  if (!caller) throw new Error('this route lets nobody in without a key')
  return caller
}

/** The user who asks, behind `needsUser`; null for an admin's key that is nobody's. */
export const userOf = ({ users }: ApiContext, request: FastifyRequest): UserRecord | null => {
  const { userId } = certainCaller(request)
  return userId === null ? null : users.find(userId)
}

/** Whose key or access token it is. @throws HubError with the refusal */
export async function identify({ keys, logins }: ApiContext, secret: string, request: FastifyRequest): Promise<Caller> {
  const address = addressOf(request)
  const caller = isAccessToken(secret) ? await logins.identify(secret, address) : await keys.identify(secret, address)
  if ('code' in caller) throw refused(caller)
  return caller
}

/** The device that a `device` key speaks for. */
export function ownDevice({ fleet }: ApiContext, request: FastifyRequest): Device {
  const deviceId = callerOf(request)?.deviceId
  const device = deviceId ? fleet.find(deviceId) : null
  if (!device) throw new HubError('not_found', 'The device of this key is gone: enrol it again.')
  return device
}

/** A device by UUID or name. @throws HubError `not_found` */
export function deviceOf({ fleet }: ApiContext, ref: string): Device {
  const device = fleet.find(ref)
  if (!device) throw new HubError('not_found', `There is no device ${ref}.`)
  return device
}

/** Keys have no dots in them, JWTs two. */
const isAccessToken = (secret: string): boolean => secret.split('.').length === 3

function admit(request: FastifyRequest, caller: Caller, scopes: readonly KeyScope[]): void {
  // Before the refusal, so that it is known who was refused.
  callers.set(request, caller)
  if (scopes.includes(caller.scope)) return
  const taken = scopes.map((scope) => `"${scope}"`).join(' or ')
  throw new HubError(
    'forbidden',
    caller.keyId === null
      ? `${caller.name} may not do that; it takes an admin.`
      : `This key has the scope "${caller.scope}"; it takes ${taken}.`,
  )
}
