import { problem, rotateReply } from '@mobilepool/sdk/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { HubError, type Refusal } from '../errors.ts'
import type { Device } from '../fleet/device.ts'
import type { RotationRecord } from '../store/index.ts'
import type { ApiContext, Routes } from './context.ts'
import { sendProblem } from './problem.ts'
import { confirmationPage } from './rotation-link-page.ts'
import { rotationJson } from './rotation-wire.ts'

/** Programs that wait for the outcome wait so long at most. */
const MAX_WAIT_S = 120

const querystring = z.object({
  /** A GET without it changes nothing: previews of chats and mail scanners fetch every link. */
  confirm: z.enum(['1', 'true']).optional(),
  /** @default text, or what `Accept` asks for */
  format: z.enum(['text', 'json']).optional(),
  /** Seconds to wait for the outcome. */
  wait: z.coerce.number().min(0).max(MAX_WAIT_S).default(0),
})
const params = z.object({ secret: z.string().max(200) })
const text = { schema: z.string() }
const result = {
  description: 'What became of it, in words or as JSON',
  content: { 'text/plain': text, 'application/json': { schema: rotateReply } },
}
const response = {
  200: { ...result, content: { ...result.content, 'text/html': text } },
  202: result,
  '4xx': { description: 'A problem, in words or as JSON', content: { 'text/plain': text, 'application/json': { schema: problem } } },
  '5xx': problem,
}

/** `/api/v1/rotation-links/{secret}`: the plain URL that rotates a device. No key: the URL is the credential. */
export const useRotationLinkRoutes: Routes = (context) => (app, _options, done) => {
  const tags = ['rotations']
  // The button of the confirmation page sends an empty form, and programs send what they like: none of it is looked at.
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, _body, parsed) => parsed(null, undefined))

  app.get(
    '/api/v1/rotation-links/:secret',
    { exposeHeadRoute: false, schema: { summary: 'Ask before rotating; with ?confirm=1 rotate', tags, params, querystring, response } },
    async (request, reply) => {
      const { device, linkId, name } = await deviceOfLink(context, request.params.secret)
      const { confirm, format, wait } = request.query
      if (confirm !== undefined && !isPrefetch(request))
        return rotateByLink(context, { request, reply, device, linkId, name, format, wait })
      if (wantsHtml(request, format)) return confirmationPage(reply, device.name)
      return reply
        .header('cache-control', 'no-store')
        .type('text/plain; charset=utf-8')
        .send(`Nothing was done. To rotate ${device.name}, POST to this URL, or add ?confirm=1 to it.\n`)
    },
  )

  app.post(
    '/api/v1/rotation-links/:secret',
    { schema: { summary: 'Rotate the link’s device', tags, params, querystring, response } },
    async (request, reply) => {
      const { format, wait } = request.query
      return rotateByLink(context, { request, reply, ...(await deviceOfLink(context, request.params.secret)), format, wait })
    },
  )
  done()
}

async function deviceOfLink({ links, fleet }: ApiContext, secret: string): Promise<{ device: Device; linkId: string; name: string }> {
  const link = await links.find(secret)
  const device = link && fleet.find(link.deviceId)
  if (!link || !device) throw new HubError('not_found', 'This rotation link is not valid, or not any more: ask for a new one.')
  return { device, linkId: link.id, name: link.name }
}

interface Use {
  request: FastifyRequest
  reply: FastifyReply
  device: Device
  linkId: string
  name: string
  format: 'text' | 'json' | undefined
  wait: number
}

async function rotateByLink(context: ApiContext, { request, reply, device, linkId, name, format, wait }: Use): Promise<FastifyReply> {
  const { rotations, store, now } = context
  const isText = format === 'text' || (format === undefined && !/\bjson\b/.test(request.headers.accept ?? ''))
  reply.header('cache-control', 'no-store')
  const asked = await rotations.request(device, { trigger: 'link', comment: `link "${name}"`.slice(0, 100) })
  if ('code' in asked) return isText ? refuseInText(reply, asked) : sendProblem(request, reply, asked)
  await store.rotationLinks.noteUse(linkId, now())
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  const rotation = await rotations.follow(device, asked, wait * 1000, gone.signal)
  reply.code(rotation.endedAt === null ? 202 : 200)
  return isText
    ? reply.type('text/plain; charset=utf-8').send(`${inWords(rotation)}\n`)
    : reply.type('application/json').send({ rotation: rotationJson(rotation) })
}

/** `changed 203.0.113.7`, `unchanged 203.0.113.7`, `failed probe_failed`, or the state that it is in. */
const inWords = ({ state, newIp, reason }: RotationRecord): string =>
  [state, state === 'failed' ? reason : newIp].filter((word) => word !== null).join(' ')

function refuseInText(reply: FastifyReply, { code, detail, retryAfter }: Refusal): FastifyReply {
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  const word = retryAfter === undefined ? code : `wait ${retryAfter}`
  return reply
    .code(retryAfter === undefined ? 409 : 429)
    .type('text/plain; charset=utf-8')
    .send(`${word}\n${detail}\n`)
}

const wantsHtml = (request: FastifyRequest, format: string | undefined): boolean =>
  format === undefined && /\btext\/html\b/.test(request.headers.accept ?? '')

/** Browsers say so when nobody has clicked yet. */
const isPrefetch = ({ headers }: FastifyRequest): boolean =>
  /prefetch|preview/i.test(`${headers['sec-purpose'] ?? ''} ${headers.purpose ?? ''} ${headers['x-moz'] ?? ''}`)
