import type { FastifyInstance } from 'fastify'
import { HubError } from '../errors.ts'
import { normalAddress } from '../fleet/address.ts'
import { isDatabaseDown } from '../store/index.ts'
import { secretOf } from './access.ts'
import type { ApiContext } from './context.ts'

/** Keeps blocked addresses out before anything else is done for them, and counts refusals towards the next block. */
export function keepOutAbusers(app: FastifyInstance, { blocks, keys, log, now }: ApiContext): void {
  // Callbacks instead of promises: every heartbeat passes here.
  app.addHook('onRequest', (request, _reply, done) => {
    const address = normalAddress(request.ip)
    const block = address === null ? null : blocks.find(address)
    if (!block) return done()
    const secret = secretOf(request) ?? (request.query as { key?: unknown }).key
    // Many phones share one carrier's address: one that misbehaves must not take the others with it.
    if (typeof secret === 'string' && keys.isGood(secret)) return done()
    done(
      new HubError('address_blocked', `${address} is blocked until ${new Date(block.until).toISOString()}: ${block.reason}.`, {
        retryAfter: Math.max(1, Math.ceil((block.until - now()) / 1000)),
      }),
    )
  })

  app.addHook('onResponse', (request, reply, done) => {
    const { statusCode: status } = reply
    const address = status === 401 || status === 403 || status === 429 ? normalAddress(request.ip) : null
    if (address !== null) void strike(address)
    done()
  })

  async function strike(address: string): Promise<void> {
    try {
      const block = await blocks.refused(address)
      if (block) log.warn({ address: block.address, until: new Date(block.until).toISOString() }, `An address is blocked: ${block.reason}.`)
    } catch (error) {
      if (!isDatabaseDown(error)) log.error({ err: error }, 'A blocked address could not be written.')
    }
  }
}
