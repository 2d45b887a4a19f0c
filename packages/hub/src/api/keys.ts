import { apiKey, type KeyScope, keyCreate, keyCreateReply, keyList, keyUpdate } from '@mobilepool/sdk/contract'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { HubError } from '../errors.ts'
import type { KeyRecord } from '../store/index.ts'
import { certainCaller, deviceOf, needs, needsUser } from './access.ts'
import { keyJson } from './account-wire.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'

const params = z.object({ id: z.uuid() })

/** What a user may give a key of his own. */
const OWN_SCOPES: readonly KeyScope[] = ['proxy', 'read']
/** Valid keys of one user at a time. */
const MAX_OWN_KEYS = 50

/** `/api/v1/keys`: admins make, list, change and revoke all keys, users their own. */
export const keyRoutes: Routes = (context) => (app, _options, done) => {
  const { config, keys, users, endAccess, now } = context
  const tags = ['keys']
  const json = (key: KeyRecord) => keyJson(key, { period: config.quotaPeriod, now: now() })

  app.get(
    '/api/v1/keys',
    {
      onRequest: needsUser(context),
      schema: { summary: 'All keys, for users their own; never the secrets', tags, response: { 200: keyList, ...problemReplies } },
    },
    (request) => ({ keys: keys.keys.filter(mayTouch(request)).map(json) }),
  )

  app.post(
    '/api/v1/keys',
    {
      onRequest: needsUser(context),
      schema: { summary: 'Make a key; it is shown this once', tags, body: keyCreate, response: { 201: keyCreateReply, ...problemReplies } },
    },
    async (request, reply) => {
      const { name, scope, device, user_id: asked, expires_at, rate_limit: rateLimit, requests_limit: requestsLimit } = request.body
      const caller = certainCaller(request)
      const userId = asked ?? (caller.sessionId === null || scope === 'device' ? null : caller.userId)
      if (caller.scope !== 'admin') refuseUser(request, { scope, userId, rateLimit })
      if (userId !== null && !users.find(userId)) throw new HubError('bad_request', `user_id: there is no user ${userId}.`)
      const expiresAt = expires_at === null ? null : Date.parse(expires_at)
      if (expiresAt !== null && expiresAt <= now()) throw new HubError('bad_request', 'expires_at must lie in the future.')
      const deviceId = device === undefined ? null : deviceOf(context, device).id
      const { key, secret } = await keys.create({ name, scope, deviceId, userId, expiresAt, rateLimit, requestsLimit })
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...json(key), key: secret })
    },
  )

  app.patch(
    '/api/v1/keys/:id',
    {
      onRequest: needs(context, 'admin'),
      schema: { summary: 'Change what is given', tags, params, body: keyUpdate, response: { 200: apiKey, ...problemReplies } },
    },
    async (request) => {
      const { name, expires_at, rate_limit, requests_limit, requests_used } = request.body
      const key = await keys.change(request.params.id, {
        ...(name === undefined ? {} : { name }),
        ...(expires_at === undefined ? {} : { expiresAt: expires_at === null ? null : Date.parse(expires_at) }),
        ...(rate_limit === undefined ? {} : { rateLimit: rate_limit }),
        ...(requests_limit === undefined ? {} : { requestsLimit: requests_limit }),
        ...(requests_used === undefined ? {} : { requestsUsed: 0, requestsSince: now() }),
      })
      if (!key) throw noKey(request.params.id)
      return json(key)
    },
  )

  app.delete(
    '/api/v1/keys/:id',
    {
      onRequest: needsUser(context),
      schema: { summary: 'Revoke a key, for users one of their own', tags, params, response: { 204: z.void(), ...problemReplies } },
    },
    async (request, reply) => {
      const { id } = request.params
      const known = keys.find(id)
      // Others' keys are as if there were none: whether an id exists is nobody's business.
      const isAdmin = certainCaller(request).scope === 'admin'
      if (!isAdmin && !(known && mayTouch(request)(known))) throw noKey(id)
      const key = await keys.revoke(id)
      if (!key) throw noKey(id)
      endAccess(key.id)
      return reply.code(204).send()
    },
  )

  function refuseUser(request: FastifyRequest, key: { scope: KeyScope; userId: string | null; rateLimit: number | null }): void {
    const own = certainCaller(request).userId
    if (!OWN_SCOPES.includes(key.scope)) throw new HubError('forbidden', 'Users make keys of scope "proxy" or "read" only.')
    if (key.userId !== own) throw new HubError('forbidden', 'Users make keys for themselves only: leave user_id out.')
    if (key.rateLimit !== null) throw new HubError('forbidden', 'The rate limit of a key is set by admins.')
    const valid = keys.keys.filter(({ userId, revokedAt }) => userId === own && revokedAt === null)
    if (valid.length >= MAX_OWN_KEYS) throw new HubError('forbidden', `A user has at most ${MAX_OWN_KEYS} valid keys: revoke one first.`)
  }
  done()
}

/** Whether who asks may see and revoke a key. */
const mayTouch =
  (request: FastifyRequest) =>
  (key: KeyRecord): boolean => {
    const { scope, userId } = certainCaller(request)
    return scope === 'admin' || (key.userId !== null && key.userId === userId)
  }

const noKey = (id: string): HubError => new HubError('not_found', `There is no key ${id}.`)
