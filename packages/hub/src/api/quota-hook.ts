import type { FastifyInstance } from 'fastify'
import { refused } from '../errors.ts'
import { callerOf } from './access.ts'
import type { ApiContext } from './context.ts'

/** Refuses the Proxy API to whoever has used up his quota: what it hands out is requests. */
export function keepQuotas(app: FastifyInstance, { quotas }: ApiContext): void {
  app.addHook('preValidation', (request, _reply, done) => {
    const isProxyApi = request.routeOptions.url?.startsWith('/api/v1/proxy/') ?? false
    const caller = isProxyApi ? callerOf(request) : null
    const refusal = caller && quotas.refusalFor(caller)
    done(refusal ? refused(refusal) : undefined)
  })
}
