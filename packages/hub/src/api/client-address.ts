import type { FastifyRequest } from 'fastify'
import { HubError } from '../errors.ts'
import { normalAddress } from '../fleet/address.ts'

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
