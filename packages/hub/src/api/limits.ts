import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import type { Caller } from '../auth/caller.ts'
import type { LimitState } from '../auth/request-limits.ts'
import { refused } from '../errors.ts'
import { addressOf } from './client-address.ts'
import type { ApiContext } from './context.ts'

/** Counts a caller's request and says how his limit stands. @throws HubError `too_many_requests` */
export function limitCaller({ limits }: ApiContext, reply: FastifyReply, caller: Caller): void {
  const state = limits.takeCaller(caller)
  // Phones pay for every byte, and no agent comes near its limit.
  if (caller.scope !== 'device' || state.refusal) tell(reply, state)
  if (state.refusal) throw refused(state.refusal)
}

/** Counts a request without a key, by its address. @throws HubError `too_many_requests` */
export function limitAddress({ limits }: ApiContext, request: FastifyRequest, reply: FastifyReply): void {
  const state = limits.takeAddress(addressOf(request))
  tell(reply, state)
  if (state.refusal) throw refused(state.refusal)
}

/** For routes that need no key. */
export const limited =
  (context: ApiContext): onRequestAsyncHookHandler =>
  async (request, reply) =>
    limitAddress(context, request, reply)

/** The fields of draft-ietf-httpapi-ratelimit-headers. */
function tell(reply: FastifyReply, { limit, left, resetMs }: LimitState): void {
  reply.header('ratelimit-policy', `"default";q=${limit};w=60`)
  reply.header('ratelimit', `"default";r=${left};t=${Math.ceil(resetMs / 1000)}`)
}
