import { type AddressBlockJson, blockList } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { HubError } from '../errors.ts'
import type { BlockRecord } from '../store/index.ts'
import { needs } from './access.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'
import { stamp } from './stamp.ts'

/** `/api/v1/blocks`: addresses that were refused too often. */
export const blockRoutes: Routes = (context) => (app, _options, done) => {
  const { blocks } = context
  const onRequest = needs(context, 'admin')
  const tags = ['blocks']
  app.get(
    '/api/v1/blocks',
    { onRequest, schema: { summary: 'Addresses that are blocked now', tags, response: { 200: blockList, ...problemReplies } } },
    () => ({ blocks: blocks.list.map(blockJson) }),
  )
  app.delete(
    '/api/v1/blocks/:address',
    {
      onRequest,
      schema: {
        summary: 'Let an address in again',
        tags,
        params: z.object({ address: z.string().min(1).max(50) }),
        response: { 204: z.void(), ...problemReplies },
      },
    },
    async (request, reply) => {
      const { address } = request.params
      if (!(await blocks.lift(address))) throw new HubError('not_found', `${address} is not blocked.`)
      return reply.code(204).send()
    },
  )
  done()
}

const blockJson = (block: BlockRecord): AddressBlockJson => ({
  address: block.address,
  reason: block.reason,
  times: block.times,
  blocked_at: stamp(block.createdAt),
  until: stamp(block.until),
})
