import { deviceName } from '@mobilepool/sdk/contract'
import { validatorCompiler } from 'fastify-type-provider-zod'
import { z } from 'zod'

/** What a crontab line's heartbeat asks with. */
export const heartbeatQuery = z.object({ name: deviceName, key: z.string().min(1).max(300).optional() })

/** Names that `deviceName` takes as they are: in ASCII there is nothing to compose. */
const PLAIN_NAME = /^[A-Za-z0-9][\w.-]{0,99}$/

/** Whether a query is a plain name and nothing else, as nearly all are: the contract takes it unchanged. */
export function isPlain(query: unknown): query is { name: string } {
  const { name, ...rest } = query as Record<string, unknown>
  for (const _ in rest) return false
  return typeof name === 'string' && PLAIN_NAME.test(name)
}

/** By the contract, which plain queries need not pass: a hub takes thousands a second. */
export const heartbeatValidator = (): ReturnType<typeof validatorCompiler> => {
  const byContract = validatorCompiler({ schema: heartbeatQuery, method: 'GET', url: '/proxy_server', httpPart: 'querystring' })
  return (query: unknown) => (isPlain(query) ? { value: query } : byContract(query))
}
