import type { KeyScope } from '@mobilepool/sdk/contract'
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import type { Caller } from '../auth/key-ring.ts'
import { HubError, refused } from '../errors.ts'
import { normalAddress } from '../fleet/address.ts'
import type { Device } from '../fleet/device.ts'
import type { ApiContext } from './context.ts'

const HOW = 'send it as "Authorization: Bearer mp_..." or "X-API-Key: mp_..."'

/** Who asks, per request: filled by `needs` and `mayBring`. */
const callers = new WeakMap<FastifyRequest, Caller>()

/**
 * The address of whoever asks: the socket's, or what a trusted proxy says.
 * @throws HubError `bad_request` when a trusted proxy handed on something else than an address
 */
export function addressOf(request: FastifyRequest): string {
  const address = normalAddress(request.ip)
  if (address === null)
    throw new HubError(
      'bad_request',
      'X-Forwarded-For holds no IP address: the proxy in TRUST_PROXY must append the plain address of its client.',
    )
  return address
}

/** Whether a request brings a key at all, and which. */
export function secretOf(request: FastifyRequest): string | null {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? []
  const header = request.headers['x-api-key']
  return bearer ?? (typeof header === 'string' && header !== '' ? header : null)
}

/** Lets only keys of these scopes pass. Before the body is read. */
export const needs =
  ({ keys }: ApiContext, ...scopes: KeyScope[]): onRequestAsyncHookHandler =>
  async (request) => {
    const secret = secretOf(request)
    if (secret === null) throw new HubError('unauthorized', `This needs a key: ${HOW}.`)
    admit(request, await identify(keys, secret, request), scopes)
  }

/** Lets requests without a key pass where `isPublic`; a key that is brought must be good. */
export const mayBring =
  ({ keys }: ApiContext, isPublic: boolean, ...scopes: KeyScope[]): onRequestAsyncHookHandler =>
  async (request) => {
    const secret = secretOf(request)
    if (secret !== null) admit(request, await identify(keys, secret, request), scopes)
    else if (!isPublic)
      throw new HubError('unauthorized', `This hub shows its status to keys only: ${HOW}, or start the hub with PUBLIC_STATUS=true.`)
  }

/** Who asks; null where no key was brought. */
export const callerOf = (request: FastifyRequest): Caller | null => callers.get(request) ?? null

/** Whose key it is. @throws HubError with the refusal */
export async function identify(keys: ApiContext['keys'], secret: string, request: FastifyRequest): Promise<Caller> {
  const caller = await keys.identify(secret, addressOf(request))
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

function admit(request: FastifyRequest, caller: Caller, scopes: readonly KeyScope[]): void {
  if (!scopes.includes(caller.scope))
    throw new HubError(
      'forbidden',
      `This key has the scope "${caller.scope}"; it takes ${scopes.map((scope) => `"${scope}"`).join(' or ')}.`,
    )
  callers.set(request, caller)
}
