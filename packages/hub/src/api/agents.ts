import {
  agentCommands,
  agentHeartbeat,
  agentHeartbeatReply,
  commandReport,
  enrollReply,
  enrollRequest,
  enrollTokenReply,
  enrollTokenRequest,
  rotateReply,
} from '@mobilepool/sdk/contract'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { HubError, refused } from '../errors.ts'
import { takeReport } from '../fleet/rotations/take-report.ts'
import { isDatabaseDown } from '../store/index.ts'
import { needs, ownDevice } from './access.ts'
import { emptyBodyIsObject } from './body.ts'
import { addressOf } from './client-address.ts'
import type { Routes } from './context.ts'
import { allowedSource, settled } from './heartbeat.ts'
import { limited } from './limits.ts'
import { problemReplies } from './problem.ts'
import { rotationJson } from './rotation-wire.ts'
import { stamp } from './stamp.ts'

/** Longer polls are cut by carriers' NATs anyway. */
const MAX_WAIT_S = 60

/** `/api/v1/agents`: enrolment, heartbeats with telemetry, orders and what became of them. */
export const agentRoutes: Routes = (context) => (app, _options, done) => {
  const { enrolment, fleet, rotations, now } = context
  const isAllowed = allowedSource(context)
  const byDevice = needs(context, 'device')
  const tags = ['agents']

  app.post(
    '/api/v1/agents/tokens',
    {
      onRequest: needs(context, 'admin'),
      preValidation: emptyBodyIsObject,
      schema: {
        summary: 'A token that enrols one device, once',
        tags,
        body: enrollTokenRequest,
        response: { 201: enrollTokenReply, ...problemReplies },
      },
    },
    async (request, reply) => {
      const { token, expiresAt } = await enrolment.createToken(request.body.name ?? null, request.body.ttl * 1000)
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ token, expires_at: stamp(expiresAt) })
    },
  )

  app.post(
    '/api/v1/agents/enroll',
    {
      onRequest: limited(context),
      schema: {
        summary: 'Trade a token for the device’s key',
        tags,
        body: enrollRequest,
        response: { 201: enrollReply, ...problemReplies },
      },
    },
    async (request, reply) => {
      isAllowed(addressOf(request))
      const enrolled = await enrolment.enrol(request.body, addressOf(request))
      if ('code' in enrolled) throw refused(enrolled)
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ device_id: enrolled.deviceId, name: enrolled.name, device_key: enrolled.deviceKey })
    },
  )

  app.post(
    '/api/v1/agents/heartbeat',
    {
      onRequest: byDevice,
      schema: {
        summary: 'A heartbeat through the device’s own egress',
        tags,
        body: agentHeartbeat,
        response: { 200: agentHeartbeatReply, ...problemReplies },
      },
    },
    async (request) => {
      const address = addressOf(request)
      isAllowed(address)
      const device = ownDevice(context, request)
      const taken = fleet.see(device, address)
      // What it says of itself comes again with its next heartbeat; that it is alive counts even without a database.
      await fleet.learn(device, request.body).catch((error: unknown) => {
        if (!isDatabaseDown(error)) throw error
      })
      await settled(taken)
      return { name: device.name, remote_ip: address, ip_changed: taken.ipChanged, timestamp: stamp(now()) }
    },
  )

  app.get(
    '/api/v1/agents/commands',
    {
      onRequest: byDevice,
      exposeHeadRoute: false,
      schema: {
        summary: 'The device’s order: at once when there is one, else when there is one, else none after `wait` seconds',
        tags,
        querystring: z.object({ wait: z.coerce.number().min(0).max(MAX_WAIT_S).default(25) }),
        response: { 200: agentCommands, ...problemReplies },
      },
    },
    async (request, reply) => {
      const device = ownDevice(context, request)
      reply.header('cache-control', 'no-store')
      const order = await rotations.order({ deviceId: device.id, waitMs: request.query.wait * 1000, gone: whenGone(reply) })
      return { commands: order ? [order] : [] }
    },
  )

  app.post(
    '/api/v1/agents/commands/:id',
    {
      onRequest: byDevice,
      schema: {
        summary: 'How far the order is; repeated until acknowledged',
        tags,
        params: z.object({ id: z.uuid() }),
        body: commandReport,
        response: { 200: rotateReply, ...problemReplies },
      },
    },
    async (request) => {
      const address = addressOf(request)
      isAllowed(address)
      const device = ownDevice(context, request)
      const { rotation, taken } = await takeReport(context, device, { id: request.params.id, report: request.body, address })
      await settled(taken)
      if (!rotation) throw new HubError('not_found', `There is no order ${request.params.id} for ${device.name}.`)
      return { rotation: rotationJson(rotation) }
    },
  )
  done()
}

/** Aborts when the asker has hung up. */
function whenGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  // Whoever left while his key was looked up has said "close" already.
  if (reply.raw.destroyed) gone.abort()
  else reply.raw.once('close', () => gone.abort())
  return gone.signal
}
