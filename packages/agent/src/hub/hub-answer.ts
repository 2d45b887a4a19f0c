import { problem } from '@mobilepool/sdk/contract'
import type { z } from 'zod'
import { AgentError } from '../errors.ts'

/** What came back from the hub's URL. */
export interface HubAnswer {
  readonly url: string
  readonly status: number
  readonly text: string
  /** The hub's clock; NaN when it did not say. */
  readonly date: number
  readonly location: string | null
}

/** The reply, checked against the contract. Throws `AgentError` saying what the hub did not like, or that this is no hub. */
export function checkAnswer<Reply>(answer: HubAnswer, schema: z.ZodType<Reply>): Reply {
  const { status, url } = answer
  if (status >= 200 && status < 300) {
    const reply = schema.safeParse(parseJson(answer.text))
    if (reply.success) return reply.data
    throw new AgentError('hub_refused', `What answers at ${url} is no MobilePool hub, or one of another version: check the hub URL.`)
  }
  if (status >= 300 && status < 400) {
    throw new AgentError('hub_refused', `The hub URL ${url} is redirected to ${answer.location ?? 'elsewhere'}: use that address.`)
  }
  const says = problem.safeParse(parseJson(answer.text))
  const detail = says.success ? says.data.detail : 'no reason given'
  if (status === 429 || status >= 500)
    throw new AgentError('hub_unreachable', `The hub at ${url} cannot answer now (${status}: ${detail}).`)
  if (status === 401 || status === 410 || saysNotFound(answer)) {
    throw new AgentError('hub_unauthorized', `The hub at ${url} does not know this device (${status}: ${detail}).`)
  }
  if (!says.success)
    throw new AgentError('hub_refused', `What answers at ${url} with status ${status} is no MobilePool hub: check the hub URL.`)
  throw new AgentError('hub_refused', `The hub refused (${status}: ${detail}).`)
}

/** Whether the hub itself says that there is no such thing; a web server that knows no such path does not count. */
export const saysNotFound = (answer: HubAnswer): boolean => answer.status === 404 && problem.safeParse(parseJson(answer.text)).success

/** No answer at all. The code is enough: texts of foreign errors can hold anything. */
export function unreachable(url: string, error: unknown): AgentError {
  const code = (error as { code?: unknown }).code
  const why = code === 'offline' ? 'the device has no network now' : typeof code === 'string' ? code : 'connection failed'
  return new AgentError('hub_unreachable', `The hub at ${url} cannot be reached (${why}).`, { cause: error })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
