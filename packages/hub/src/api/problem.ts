import { type ProblemCode, type ProblemJson, problem, problems } from '@mobilepool/sdk/contract'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { HubError, type Refusal } from '../errors.ts'

/** For `schema.response`: whatever goes wrong is a problem document. */
export const problemReplies = { '4xx': problem, '5xx': problem }

/** Sends a refusal as an RFC 9457 document. */
export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  { code, detail, errors, retryAfter, rotationId }: Refusal,
): FastifyReply {
  const { status, title } = problems[code]
  const body: ProblemJson = { type: `urn:mobilepool:problem:${code}`, title, status, code, detail, instance: `urn:uuid:${request.id}` }
  if (errors) body.errors = errors
  if (rotationId !== undefined) body.rotation_id = rotationId
  if (retryAfter !== undefined) {
    body.retry_after = retryAfter
    reply.header('retry-after', retryAfter)
  }
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="mobilepool"')
  return reply.code(status).type('application/problem+json').send(body)
}

/** Turns whatever a route threw into a problem; what nobody expected is logged and answered without its text. */
export function handleError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const refusal = asRefusal(error)
  if (refusal.code === 'internal') request.log.error({ err: error, request: request.id }, 'a request failed')
  else if (refusal.code === 'database_down') request.log.warn({ request: request.id }, refusal.detail)
  return sendProblem(request, reply, refusal)
}

function asRefusal(error: FastifyError): Refusal {
  if (error instanceof HubError) {
    const code = isProblemCode(error.code) ? error.code : 'internal'
    return code === 'internal' ? internal : { code, detail: error.message, ...error.extras }
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const all = error.validation.map(({ instancePath, message }) => ({
      field: instancePath.slice(1).replaceAll('/', '.') || String(error.validationContext ?? 'request'),
      message: message ?? 'is not valid',
    }))
    // An empty name is also one of odd letters: the first complaint about a field says enough.
    const errors = all.filter(({ field }, index) => all.findIndex((other) => other.field === field) === index)
    return { code: 'bad_request', detail: errors.map(({ field, message }) => `${field} ${message}`).join('; '), errors }
  }
  const status = error.statusCode ?? 500
  if (status === 413) return { code: 'body_too_large', detail: error.message }
  if (status === 415) return { code: 'unsupported_media_type', detail: 'Send the body as application/json.' }
  if (status >= 400 && status < 500) return { code: 'bad_request', detail: error.message }
  return internal
}

const isProblemCode = (code: string): code is ProblemCode => code in problems

const internal: Refusal = { code: 'internal', detail: 'The hub failed to answer; its log has the reason under this instance.' }
