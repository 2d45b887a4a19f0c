import cookie from '@fastify/cookie'
import { loginReply, loginRequest, meReply, passwordChange } from '@mobilepool/sdk/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { LoggedIn, LoginOrigin } from '../auth/logins.ts'
import { HubError, type Refusal, refused } from '../errors.ts'
import { certainCaller, identify, needs, needsUser, secretOf, userOf } from './access.ts'
import { loginJson, userJson } from './account-wire.ts'
import { noteForAudit } from './audit-hook.ts'
import { addressOf } from './client-address.ts'
import type { ApiContext } from './context.ts'
import { limited } from './limits.ts'
import { problemReplies } from './problem.ts'
import { clearSessionCookie, refuseOtherSites, sessionCookie, setSessionCookie } from './session-cookie.ts'
import { stampOrNull } from './stamp.ts'

/** `/api/v1/auth`: logging in, staying so, and out. The cookie parser works on these routes only. */
export const authRoutes =
  (context: ApiContext): FastifyPluginAsyncZod =>
  async (app) => {
    const { config, logins, users, keys, endAccess, now } = context
    const tags = ['auth']
    const quota = () => ({ period: config.quotaPeriod, now: now() })
    await app.register(cookie)

    const answer = (request: FastifyRequest, reply: FastifyReply, result: LoggedIn | Refusal) => {
      if ('code' in result) throw refused(result)
      noteForAudit(request, { actor: { id: result.user.id, name: result.user.username } })
      if (result.refreshToken !== null) setSessionCookie(request, reply, result.refreshToken, config.sessionMs)
      reply.header('cache-control', 'no-store')
      return loginJson(result, quota())
    }

    app.post(
      '/api/v1/auth/login',
      {
        onRequest: limited(context),
        schema: {
          summary: 'Log in: an access token, and a cookie for the next ones',
          tags,
          security: [],
          body: loginRequest,
          response: { 200: loginReply, ...problemReplies },
        },
      },
      async (request, reply) => {
        refuseOtherSites(request, config.corsOrigins)
        const { username, password } = request.body
        const result = await logins.login(username, password, originOf(request))
        // Only names that exist: people type their password into the wrong field.
        noteForAudit(request, { subject: users.findByName(username)?.username ?? null })
        return answer(request, reply, result)
      },
    )

    app.post(
      '/api/v1/auth/refresh',
      {
        onRequest: limited(context),
        schema: {
          summary: 'A new access token for the cookie; the cookie is replaced, and one that was used before ends the login',
          tags,
          security: [],
          response: { 200: loginReply, ...problemReplies },
        },
      },
      async (request, reply) => {
        refuseOtherSites(request, config.corsOrigins)
        const token = sessionCookie(request)
        if (token === null) throw new HubError('unauthorized', 'There is no login: POST /api/v1/auth/login first.')
        const result = await logins.refresh(token, originOf(request))
        if ('code' in result) clearSessionCookie(request, reply)
        return answer(request, reply, result)
      },
    )

    app.post(
      '/api/v1/auth/logout',
      {
        onRequest: limited(context),
        schema: { summary: 'End this login, access tokens included', tags, security: [], response: { 204: z.void(), ...problemReplies } },
      },
      async (request, reply) => {
        refuseOtherSites(request, config.corsOrigins)
        const token = sessionCookie(request)
        const secret = secretOf(request)
        const byToken = token === null ? null : await logins.logout(token)
        // Without the cookie, as scripts do it: the access token's own login.
        const caller = secret === null || byToken !== null ? null : await identify(context, secret, request)
        const byCaller = caller?.sessionId ? await logins.end(caller.sessionId) : null
        for (const ended of [byToken, byCaller]) {
          if (ended === null) continue
          endAccess(ended.id)
          if (ended.user) noteForAudit(request, { actor: { id: ended.user.id, name: ended.user.username } })
        }
        clearSessionCookie(request, reply)
        return reply.code(204).send()
      },
    )

    app.get(
      '/api/v1/auth/me',
      {
        onRequest: needs(context, 'admin', 'proxy', 'read', 'device'),
        schema: { summary: 'Who the hub takes me for, and what I may do', tags, response: { 200: meReply, ...problemReplies } },
      },
      (request, reply) => {
        reply.header('cache-control', 'no-store')
        const { scope, userId, keyId } = certainCaller(request)
        const user = userId === null ? null : users.find(userId)
        const key = keyId === null ? null : keys.find(keyId)
        return {
          scope,
          user: user && userJson(user, quota()),
          key: key && { id: key.id, name: key.name, expires_at: stampOrNull(key.expiresAt) },
        }
      },
    )

    app.post(
      '/api/v1/auth/password',
      {
        onRequest: needsUser(context),
        schema: {
          summary: 'Change my password; every login of mine ends, and a new one begins',
          tags,
          body: passwordChange,
          response: { 200: loginReply, ...problemReplies },
        },
      },
      async (request, reply) => {
        const user = certainCaller(request).sessionId === null ? null : userOf(context, request)
        if (!user) throw new HubError('forbidden', 'A key has no password: PATCH /api/v1/users/{id} changes a user’s.')
        const { current_password: current, new_password: next } = request.body
        const result = await logins.changePassword(user, current, next, originOf(request))
        if (!('code' in result)) endAccess(user.id)
        return answer(request, reply, result)
      },
    )
  }

const originOf = (request: FastifyRequest): LoginOrigin => ({
  address: addressOf(request),
  userAgent: request.headers['user-agent'] ?? null,
})
