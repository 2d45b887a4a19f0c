import { user, userCreate, userList, userUpdate } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { HubError, refused } from '../errors.ts'
import { needs } from './access.ts'
import { userJson } from './account-wire.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'

const params = z.object({ id: z.uuid() })

/** `/api/v1/users`: users are made, changed and removed by admins. */
export const userRoutes: Routes = (context) => (app, _options, done) => {
  const { config, users, keys, endAccess, now } = context
  const onRequest = needs(context, 'admin')
  const tags = ['users']
  const quota = () => ({ period: config.quotaPeriod, now: now() })

  app.get('/api/v1/users', { onRequest, schema: { summary: 'All users', tags, response: { 200: userList, ...problemReplies } } }, () => ({
    users: users.all.map((one) => userJson(one, quota())),
  }))

  app.post(
    '/api/v1/users',
    { onRequest, schema: { summary: 'Make a user', tags, body: userCreate, response: { 201: user, ...problemReplies } } },
    async (request, reply) => {
      const { requests_limit: requestsLimit, ...rest } = request.body
      const made = await users.create({ ...rest, requestsLimit })
      if ('code' in made) throw refused(made)
      return reply.code(201).send(userJson(made, quota()))
    },
  )

  app.get(
    '/api/v1/users/:id',
    { onRequest, schema: { summary: 'One user', tags, params, response: { 200: user, ...problemReplies } } },
    (request) => {
      const found = users.find(request.params.id)
      if (!found) throw new HubError('not_found', `There is no user ${request.params.id}.`)
      return userJson(found, quota())
    },
  )

  app.patch(
    '/api/v1/users/:id',
    {
      onRequest,
      schema: {
        summary: 'Change what is given; a new password or role, and deactivation, end the user’s logins',
        tags,
        params,
        body: userUpdate,
        response: { 200: user, ...problemReplies },
      },
    },
    async (request) => {
      const { username, email, password, role, is_active, requests_limit, requests_used } = request.body
      const changed = await users.change(request.params.id, {
        ...(username === undefined ? {} : { username }),
        ...(email === undefined ? {} : { email }),
        ...(password === undefined ? {} : { password }),
        ...(role === undefined ? {} : { role }),
        ...(is_active === undefined ? {} : { isActive: is_active }),
        ...(requests_limit === undefined ? {} : { requestsLimit: requests_limit }),
        ...(requests_used === undefined ? {} : { requestsUsed: 0, requestsSince: now() }),
      })
      if ('code' in changed) throw refused(changed)
      if (password !== undefined || role !== undefined || is_active === false) endAccess(changed.id)
      return userJson(changed, quota())
    },
  )

  app.delete(
    '/api/v1/users/:id',
    {
      onRequest,
      schema: { summary: 'Remove a user with his logins and keys', tags, params, response: { 204: z.void(), ...problemReplies } },
    },
    async (request, reply) => {
      const { id } = request.params
      const refusal = await users.remove(id)
      if (refusal) throw refused(refusal)
      keys.forgetUser(id)
      endAccess(id)
      return reply.code(204).send()
    },
  )
  done()
}
